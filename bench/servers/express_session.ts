/**
 * `express-session` with Express on Deno, on a KV file.
 *
 * @module
 */

import { PROFILE, SECRET } from "../_data.ts";
import { importPeer } from "../_peers.ts";
import { endWithParent, listening, openKv } from "./_serve.ts";

const { default: express } = await importPeer("express");
const { default: session } = await importPeer("express-session");
const kv = await openKv();

type Callback = (error: unknown, session?: unknown) => void;

class KvSessions extends session.Store {
  get(id: string, done: Callback): void {
    kv.get<string>(["sessions", id]).then(
      ({ value }) => done(null, value === null ? null : JSON.parse(value)),
      done,
    );
  }
  set(id: string, data: unknown, done: Callback): void {
    kv.set(["sessions", id], JSON.stringify(data)).then(() => done(null), done);
  }
  destroy(id: string, done: Callback): void {
    kv.delete(["sessions", id]).then(() => done(null), done);
  }
}

const app = express();
app.use(session({
  store: new KvSessions(),
  secret: SECRET,
  resave: false,
  saveUninitialized: false,
}));

// deno-lint-ignore no-explicit-any -- the types of Express are not there
type Any = any;

function increment(request: Any, response: Any): void {
  request.session.count = (request.session.count ?? 0) + 1;
  response.send(String(request.session.count));
}

app.get("/init", (request: Any, response: Any) => {
  request.session.profile = PROFILE;
  request.session.count = 1;
  response.send("1");
});
app.get("/read", (request: Any, response: Any) => {
  response.send(String(request.session.count ?? 0));
});
app.get("/write", increment);
app.get("/increment", increment);

endWithParent();
const server = app.listen(
  0,
  "127.0.0.1",
  () => listening(server.address().port),
);
