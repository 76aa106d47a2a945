// @ts-check
/**
 * Parts of the page: its elements, instants in the browser's time zone, and what is shown of one customer.
 *
 * @typedef {import("./client.js").Customer} Customer
 */

export const instants = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

/** @template {Element} T @param {string} selector @param {new () => T} kind @returns {T} */
export function one(selector, kind) {
  const found = document.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`The page has no ${selector}.`);
  return found;
}

/** @param {string | null} instant @returns {HTMLTimeElement | string} */
export function time(instant) {
  if (!instant) return "";
  const element = document.createElement("time");
  element.dateTime = instant;
  element.textContent = instants.format(new Date(instant));
  return element;
}

/** @param {Customer} customer @returns {HTMLElement[]} */
export function description(customer) {
  /** @type {[string, Node | string | null][]} */
  const lines = [
    ["Id", customer.id],
    ["E-mail address", customer.email],
    ["Telephone", customer.phone],
    ["Company", customer.company],
    ["Address", customer.address && written(customer.address)],
    ["Status", customer.status],
    ["Language", customer.language],
    ["Tags", customer.tags.join(", ")],
    ["Created", time(customer.created_at)],
    ["Last changed", time(customer.updated_at)],
  ];
  return lines.flatMap(([name, content]) => {
    if (!content) return [];
    const [term, value] = [document.createElement("dt"), document.createElement("dd")];
    term.append(name);
    value.append(content);
    return [term, value];
  });
}

/** @param {NonNullable<Customer["address"]>} address */
function written({ line1, line2, postal_code, city, region, country }) {
  const place = [postal_code, city].filter(Boolean).join(" ");
  return [line1, line2, place, region, country].filter(Boolean).join("\n");
}
