/**
 * The one page of the demo.
 *
 * @module
 */

import type { SessionInfo } from "@tessera/session";
import type { CartLine, DemoSession } from "./actions.ts";
import { type Markup, markup } from "./markup.ts";
import { PRODUCTS } from "./products.ts";
import { ago, inEuro, inWords, onCalendar } from "./words.ts";

/** What the page shows. */
export interface PageContent {
  readonly session: DemoSession;
  readonly notices: readonly string[];
  readonly devices: readonly SessionInfo[];
  readonly now: number;
}

/** Renders the page. */
export function renderPage(content: PageContent): Markup {
  const { session, notices } = content;
  const signedIn = session.subject !== undefined;
  return markup`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Tessera session demo</title>
  <link rel="icon" href="/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/style.css">
  ${signedIn ? markup`<script src="/live.js" defer></script>` : undefined}
</head>
<body>
  <header class="top">
    <p class="brand">
      <img src="/icon.svg" alt="" width="28" height="28"> Tessera
    </p>
    <p class="tagline">Server-side sessions, a demo</p>
  </header>
  <div class="notices">
    <div role="status">${notices.map(renderNotice)}</div>
    <div role="alert"></div>
  </div>
  <main>
    ${renderVisits(session)}
    <div class="columns">
      ${renderSession(content)}
      ${renderCart(session.get("cart") ?? [])}
      ${signedIn ? renderDevices(content) : renderSignIn()}
    </div>
  </main>
  <footer>
    <p>No build step, no framework: forms, redirects and a session.</p>
  </footer>
</body>
</html>
`;
}

function renderNotice(notice: string): Markup {
  return markup`<p class="notice">${notice}</p>`;
}

function renderVisits(session: DemoSession): Markup {
  const { subject, isNew } = session;
  const visits = session.get("visits") ?? 0;
  const stranger = isNew ? "Nice to meet you" : "Welcome back";
  return markup`<section class="hero" aria-labelledby="greeting">
  <h1 id="greeting">${
    subject === undefined ? stranger : `Hello, ${subject}`
  }</h1>
  <p>
    You have seen this page <strong id="visits">${visits}</strong>
    ${visits === 1 ? "time" : "times"}. Reload, and it counts on.
  </p>
</section>`;
}

function renderSession({ session, now }: PageContent): Markup {
  const { id, createdAt, expiresAt } = session;
  return markup`<section class="card" aria-labelledby="session">
  <h2 id="session">This session</h2>
  <dl class="facts">
    <div><dt>Id</dt><dd><code id="session-id">${id}</code></dd></div>
    <div><dt>Age</dt><dd>
      ${inWords(now - createdAt)} <small>since ${renderTime(createdAt)}</small>
    </dd></div>
    <div><dt>Ends</dt><dd>
      in ${inWords(expiresAt - now)}
      <small>${renderTime(expiresAt)}, unless you come back</small>
    </dd></div>
  </dl>
  <div class="actions">
    <form method="post" action="/session/new-id"><button>New id</button></form>
    <form method="post" action="/session/forget">
      <button class="danger">Forget me</button>
    </form>
  </div>
  <p class="hint">
    This id is safe to show. The secret that goes with it is in a cookie that
    no script can read, and the database knows only its hash.
  </p>
</section>`;
}

function renderTime(moment: number): Markup {
  const iso = new Date(moment).toISOString();
  return markup`<time datetime="${iso}">${onCalendar(moment)}</time>`;
}

function renderCart(cart: readonly CartLine[]): Markup {
  return markup`<section class="card" aria-labelledby="cart">
  <h2 id="cart">Cart</h2>
  ${cart.length === 0 ? EMPTY_CART : renderLines(cart)}
  <h3 id="shelf">Put into the cart</h3>
  <form class="shelf" method="post" action="/cart/add" aria-labelledby="shelf">
    ${[...PRODUCTS.keys()].map(renderProduct)}
  </form>
  <p class="hint">
    An array in the session, changed in place:
    <code>session.get("cart").push(…)</code>
  </p>
</section>`;
}

const EMPTY_CART = markup`<p class="empty">There is nothing in it yet.</p>`;

function renderLines(cart: readonly CartLine[]): Markup {
  const total = cart.reduce(
    (sum, { product, quantity }) => sum + productOf(product).price * quantity,
    0,
  );
  return markup`<ul class="lines">
  ${cart.map(renderLine)}
</ul>
<p class="total">
  <span>Total</span> <strong id="total">${inEuro(total)}</strong>
</p>`;
}

function renderLine({ product, quantity }: CartLine): Markup {
  const { name, price } = productOf(product);
  return markup`<li>
  <span class="name">${name} <small>${inEuro(price * quantity)}</small></span>
  <form class="stepper" method="post">
    <input type="hidden" name="product" value="${product}">
    <button formaction="/cart/less" aria-label="${name}: one less">−</button>
    <output aria-label="${name}: quantity">${quantity}</output>
    <button formaction="/cart/add" aria-label="${name}: one more">+</button>
    <button class="quiet" formaction="/cart/remove"
      aria-label="${name}: remove">Remove</button>
  </form>
</li>`;
}

function renderProduct(product: string): Markup {
  const { name, price } = productOf(product);
  return markup`<button name="product" value="${product}">
  ${name} <span class="price">${inEuro(price)}</span>
</button>`;
}

/** A cart of yesterday may hold what is sold no more. */
function productOf(key: string): { name: string; price: number } {
  return PRODUCTS.get(key) ?? { name: key, price: 0 };
}

function renderSignIn(): Markup {
  return markup`<section class="card" aria-labelledby="you">
  <h2 id="you">Sign in</h2>
  <form class="sign-in" method="post" action="/sign-in">
    <label for="name">Your name</label>
    <div class="field">
      <input id="name" name="name" required maxlength="40" autocomplete="off"
        aria-describedby="name-hint">
      <button class="primary">Sign in</button>
    </div>
  </form>
  <p class="hint" id="name-hint">
    Any name will do: this is a demo, there are no passwords. Sign in with the
    same name in another browser, and see both here.
  </p>
</section>`;
}

function renderDevices({ session, devices, now }: PageContent): Markup {
  const { id: own } = session;
  const others = devices.some(({ id }) => id !== own);
  return markup`<section class="card" aria-labelledby="devices">
  <h2 id="devices">Your devices</h2>
  <ul class="lines">
    ${devices.map((device) => renderDevice(device, device.id === own, now))}
  </ul>
  <div class="actions">
    ${others ? SIGN_OUT_OTHERS : undefined}
    <form method="post" action="/sign-out"><button>Sign out here</button></form>
  </div>
  <p class="hint">
    A page that is open where you sign out says so by itself.
  </p>
</section>`;
}

const SIGN_OUT_OTHERS = markup`<form method="post"
  action="/devices/sign-out-others"><button>Sign out everywhere else</button></form>`;

function renderDevice(device: SessionInfo, own: boolean, now: number): Markup {
  const { id, authenticatedAt, createdAt, label = "Some device" } = device;
  const since = `signed in ${ago(authenticatedAt ?? createdAt, now)}`;
  return markup`<li data-session="${id}">
  <span class="name">${label} <small>${since}</small></span>
  ${own ? THIS_ONE : renderSignOut(id, `${label}, ${since}`)}
</li>`;
}

const THIS_ONE = markup`<span class="badge">This one</span>`;

function renderSignOut(id: string, device: string): Markup {
  return markup`<form method="post" action="/devices/sign-out">
    <input type="hidden" name="id" value="${id}">
    <button class="quiet" aria-label="Sign out ${device}">Sign out</button>
  </form>`;
}
