/**
 * `Deno.serve` with one header on each answer, the one that an answer must have which
 * depends on a session: nothing that reads sessions can be faster.
 *
 * @module
 */

import { answer, serve } from "./_serve.ts";

serve(() => {
  const response = answer(0);
  response.headers.append("vary", "Cookie");
  return response;
});
