/**
 * The one page of the demo.
 *
 * @module
 */

import type { SessionInfo } from "@tessera/session";
import type { CartLine, DemoSession } from "./actions.ts";
import { ago, type Html, html, inWords, onCalendar } from "./html.ts";
import { inEuro, PRODUCTS } from "./products.ts";

/** What the page shows. */
export interface PageContent {
  readonly session: DemoSession;
  readonly notices: readonly string[];
  readonly devices: readonly SessionInfo[];
  readonly now: number;
}

/** Renders the page. */
export function renderPage(content: PageContent): Html {
  const { session, notices } = content;
  const live = session.subject === undefined
    ? undefined
    : html`<script src="/live.js" defer></script>`;
  return html`
    <!doctype html>
    <html lang="en">
      <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Tessera session demo</title>
    <link rel="icon" href="/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/style.css">
    ${live}
      </head>
      <body>
        <header class="top">
          <p
            class="brand"><img src="/icon.svg" alt="" width="28" height="28"> Tessera</p>
          <p class="tagline">Sessions on Deno KV, one cookie</p>
        </header>
        <div class="notices" role="status">${notices.map(renderNotice)}</div>
        <div class="notices" role="alert" id="live"></div>
        <main id="main">
    ${renderVisits(session)}
    <div class="columns">
    ${renderSession(content)}
    ${renderCart(session.get("cart") ?? [])}
    ${session.subject === undefined ? renderSignIn() : renderDevices(content)}
    </div>
        </main>
        <footer>
          <p>No script keeps this page going: each button posts a form, and a redirect leads back.</p>
        </footer>
      </body>
    </html>
  `;
}

function renderNotice(notice: string): Html {
  return html`<p class="notice">${notice}</p>`;
}

function renderVisits(session: DemoSession): Html {
  const visits = session.get("visits") ?? 0;
  const greeting = session.subject === undefined
    ? session.isNew ? "Nice to meet you" : "Welcome back"
    : `Hello, ${session.subject}`;
  return html`
    <section class="hero" aria-labelledby="greeting">
      <h1 id="greeting">${greeting}</h1>
      <p>You have seen this page <strong class="count" id="visits">${visits}</strong>
    ${visits === 1 ? "time" : "times"}. Reload to count on.</p>
    </section>
  `;
}

function renderSession({ session, now }: PageContent): Html {
  const { id, createdAt, expiresAt, isNew } = session;
  return html`
    <section class="card" aria-labelledby="session">
      <h2 id="session">This session</h2>
      <dl class="facts">
        <div>
          <dt>Id</dt>
          <dd><code id="session-id">${id}</code></dd>
        </div>
        <div>
          <dt>Age</dt>
          <dd>${isNew ? "new" : inWords(now - createdAt)}
    <small>since ${renderTime(createdAt)}</small></dd>
        </div>
        <div>
          <dt>Ends</dt>
          <dd>in ${inWords(expiresAt - now)}
    <small>${renderTime(expiresAt)}, unless you come back</small></dd>
        </div>
      </dl>
      <div class="actions">
        <form method="post" action="/session/new-id"><button>New id</button></form>
        <form method="post"
          action="/session/forget"><button class="danger">Forget me</button></form>
      </div>
      <p
        class="hint">The id is safe to show. The secret beside it is in a cookie that scripts
    cannot read, and the database knows only its hash.</p>
    </section>
  `;
}

function renderTime(moment: number): Html {
  const iso = new Date(moment).toISOString();
  return html`<time datetime="${iso}">${onCalendar(moment)}</time>`;
}

function renderCart(cart: readonly CartLine[]): Html {
  const lines = cart.map(renderLine);
  const total = cart.reduce(
    (sum, { product, quantity }) =>
      sum + (PRODUCTS.get(product)?.price ?? 0) * quantity,
    0,
  );
  const contents = lines.length === 0
    ? html`<p class="empty">Your cart is empty.</p>`
    : html`<ul class="lines">${lines}</ul>
<p class="total"><span>Total</span> <strong id="total">${
      inEuro(total)
    }</strong></p>`;
  const products = [...PRODUCTS].map(([key, { name, price }]) =>
    html`
      <button name="product" value="${key}"
        aria-label="Add ${name}, ${inEuro(
          price,
        )}">${name} <span class="price">${inEuro(price)}</span></button>
    `
  );
  return html`<section class="card" aria-labelledby="cart">
<h2 id="cart">Cart</h2>
${contents}
<h3 id="shelf">Add to it</h3>
<form method="post" action="/cart/add" class="shelf" aria-labelledby="shelf">${products}</form>
<p class="hint">An array in the session, changed in place:
<code>session.get("cart").push(…)</code></p>
</section>`;
}

function renderLine({ product, quantity }: CartLine): Html {
  const { name, price } = PRODUCTS.get(product) ?? { name: product, price: 0 };
  return html`
    <li>
      <span class="name">${name} <small>${inEuro(
        price * quantity,
      )}</small></span>
      <form method="post" class="stepper">
        <input type="hidden" name="product" value="${product}">
        <button formaction="/cart/less" aria-label="One ${name} less">−</button>
        <output aria-label="Quantity of ${name}">${quantity}</output>
        <button formaction="/cart/add" aria-label="One ${name} more">+</button>
        <button formaction="/cart/remove" class="quiet"
          aria-label="Remove ${name}">Remove</button>
      </form>
    </li>
  `;
}

function renderSignIn(): Html {
  return html`
    <section class="card" aria-labelledby="you">
      <h2 id="you">Sign in</h2>
      <form method="post" action="/sign-in" class="sign-in">
        <label for="name">Name</label>
        <div class="field">
          <input id="name" name="name" required maxlength="40" autocomplete="off"
            aria-describedby="name-hint">
          <button class="primary">Sign in</button>
        </div>
      </form>
      <p class="hint"
        id="name-hint">Any name will do: this is a demo, without passwords.
    Sign in with the same name elsewhere to see your devices.</p>
    </section>
  `;
}

function renderDevices({ session, devices, now }: PageContent): Html {
  const items = devices.map((device) =>
    renderDevice(device, device.id === session.id, now)
  );
  const others = devices.some(({ id }) => id !== session.id)
    ? html`
      <form method="post"
        action="/devices/sign-out-others"><button>Sign out everywhere else</button></form>
    `
    : undefined;
  return html`
    <section class="card" aria-labelledby="devices">
      <h2 id="devices">Your devices</h2>
      <ul class="lines">${items}</ul>
      <div class="actions">
    ${others}
    <form method="post" action="/sign-out"><button>Sign out here</button></form>
      </div>
      <p
        class="hint">A device that is signed out is told so at once, by itself, while it looks
    at this page.</p>
    </section>
  `;
}

function renderDevice(device: SessionInfo, own: boolean, now: number): Html {
  const { id, authenticatedAt, createdAt } = device;
  const label = device.label ?? "Some device";
  const since = ago(authenticatedAt ?? createdAt, now);
  const mark = own ? html`<span class="badge">This one</span>` : html`
    <form method="post" action="/devices/sign-out">
      <input type="hidden" name="id" value="${id}">
      <button class="quiet"
        aria-label="Sign out ${label}, signed in ${since}">Sign out</button>
    </form>
  `;
  return html`<li data-device="${id}">
<span class="name">${label} <small>signed in ${since}</small></span>
${mark}
</li>`;
}
