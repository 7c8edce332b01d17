/**
 * `Deno.serve` and nothing else: how fast a server without sessions is.
 *
 * @module
 */

import { answer, serve } from "./_serve.ts";

serve(() => answer(0));
