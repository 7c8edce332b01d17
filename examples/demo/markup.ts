/**
 * Markup that is safe by default.
 *
 * @module
 */

/** A piece of HTML: what was put into it through {@linkcode markup} is escaped. */
export class Markup {
  /** The HTML. */
  readonly text: string;

  /** Takes text as HTML, unescaped. */
  constructor(text: string) {
    this.text = text;
  }
}

/** What a template takes: text, other pieces of HTML, or nothing. */
export type MarkupValue =
  | string
  | number
  | Markup
  | readonly Markup[]
  | undefined;

/** Makes HTML of a template; every value is escaped unless it is HTML itself. */
export function markup(
  { raw }: TemplateStringsArray,
  ...values: readonly MarkupValue[]
): Markup {
  return new Markup(String.raw({ raw }, ...values.map(render)));
}

function render(value: MarkupValue): string {
  if (value === undefined) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "object") return value.map(render).join("\n");
  return String(value).replace(
    /[&<>"']/g,
    (char) => `&#${char.charCodeAt(0)};`,
  );
}
