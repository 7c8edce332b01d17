/**
 * What the forms of the demo do to the session.
 *
 * @module
 */

import type { Session, SessionManager } from "@tessera/session";
import { describeDevice } from "./device.ts";
import { PRODUCTS } from "./products.ts";

/** One line of the cart. */
export interface CartLine {
  product: string;
  quantity: number;
}

/** What a session of the demo holds. */
export interface DemoData {
  visits: number;
  cart: CartLine[];
}

/** What it shows once. */
export interface DemoFlash {
  notice: string;
}

export type DemoSession = Session<DemoData, DemoFlash>;
export type DemoSessions = SessionManager<DemoData, DemoFlash>;

/** What an action has at hand. */
export interface ActionContext {
  readonly session: DemoSession;
  readonly sessions: DemoSessions;
  readonly form: FormData;
  readonly request: Request;
}

type Action = (context: ActionContext) => void | Promise<void>;

/** The actions by the paths that the forms are posted to. */
export const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ["/cart/add", addToCart],
  ["/cart/less", takeFromCart],
  ["/cart/remove", removeFromCart],
  ["/session/new-id", renewId],
  ["/session/forget", forget],
  ["/sign-in", signIn],
  ["/sign-out", forget],
  ["/devices/sign-out", signOutDevice],
  ["/devices/sign-out-others", signOutOthers],
]);

const MAX_QUANTITY = 99;
const MAX_NAME_LENGTH = 40;

function addToCart({ session, form }: ActionContext): void {
  const product = field(form, "product");
  const name = PRODUCTS.get(product)?.name;
  if (name === undefined) return;
  if (!session.has("cart")) session.set("cart", []);
  // changed in place, and saved all the same
  const cart = session.get("cart") ?? [];
  const line = cart.find((line) => line.product === product);
  if (line === undefined) cart.push({ product, quantity: 1 });
  else line.quantity = Math.min(line.quantity + 1, MAX_QUANTITY);
  session.flash("notice", `${name}: added to your cart.`);
}

function takeFromCart(context: ActionContext): void {
  const { session, form } = context;
  const product = field(form, "product");
  const line = session.get("cart")?.find((line) => line.product === product);
  if (line === undefined) return;
  if (line.quantity === 1) return removeFromCart(context);
  line.quantity -= 1;
  session.flash("notice", `${PRODUCTS.get(product)?.name}: one less.`);
}

function removeFromCart({ session, form }: ActionContext): void {
  const product = field(form, "product");
  const cart = session.get("cart") ?? [];
  const index = cart.findIndex((line) => line.product === product);
  if (index === -1) return;
  cart.splice(index, 1);
  session.flash(
    "notice",
    `${PRODUCTS.get(product)?.name}: removed from your cart.`,
  );
}

function renewId({ session }: ActionContext): void {
  session.regenerate();
  session.flash("notice", "This session has a new id. All else stayed.");
}

function forget({ session }: ActionContext): void {
  session.destroy();
}

function signIn({ session, form, request }: ActionContext): void {
  const name = field(form, "name");
  if (name === "" || name.length > MAX_NAME_LENGTH) {
    session.flash(
      "notice",
      `Please enter a name of 1 to ${MAX_NAME_LENGTH} characters.`,
    );
    return;
  }
  session.login(name, {
    label: describeDevice(request.headers.get("user-agent") ?? ""),
  });
  session.flash("notice", `Hello, ${name}. You have a new id, too.`);
}

async function signOutDevice(
  { session, sessions, form }: ActionContext,
): Promise<void> {
  const id = field(form, "id");
  if (session.subject === undefined) return;
  const device = await sessions.get(id);
  // only one's own devices
  if (device?.subject !== session.subject) return;
  if (device.id === session.id) return session.logout();
  const ended = await sessions.revoke(device.id);
  if (ended) {
    session.flash("notice", `${device.label ?? "The device"} is signed out.`);
  }
}

async function signOutOthers(
  { session, sessions }: ActionContext,
): Promise<void> {
  if (session.subject === undefined) return;
  const count = await sessions.revokeAll(session.subject, {
    except: session.id,
  });
  const devices = count === 1 ? "1 other device is" : `${count} others are`;
  session.flash("notice", `${devices} signed out.`);
}

function field(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
}
