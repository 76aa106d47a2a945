// @ts-check
/**
 * The page: lists customers, shows one, looks one up, and keeps all of it true by the stream of changes.
 *
 * What changes the page runs in turn, so that no answer from before a change is shown after it. While the service or its
 * cache is away, what was loaded stays, under a banner; after a failure of the page too, until all is loaded again.
 *
 * @typedef {import("./client.js").Schemas} Schemas
 * @typedef {import("./client.js").Customer} Customer
 */

import { Client, Outage, Refusal } from "./client.js";
import { description, instants, one, time } from "./elements.js";

const PAGE = 50;
const FRESHNESS_MS = 5_000;

/** @type {Map<string, Customer>} */
let customers = new Map();
/** @type {Map<string, HTMLTableRowElement>} */
const rows = new Map();
/** @type {string | null} */
let next = null;
/** @type {string | null} */
let shown = null;
let answeredAt = new Date();
let failure = "";
let client = new Client("", "");
let turn = Promise.resolve();

/** Do what changes the page after all that is under way. @param {() => Promise<void>} work @returns {Promise<void>} */
function inTurn(work) {
  const result = turn.then(work);
  turn = result.catch(() => undefined);
  return result;
}

/** @template T @param {string} path @returns {Promise<T>} */
async function read(path) {
  const asked = client;
  try {
    const { content, headers } = await asked.read(path);
    if (asked === client) showFreshness(headers);
    return content;
  } catch (error) {
    if (asked === client && error instanceof Outage) showOutage();
    throw error;
  }
}

/** @param {string | null} cursor @param {Map<string, Customer>} into @returns {Promise<string | null>} */
async function readPage(cursor, into) {
  const query = new URLSearchParams({ limit: String(PAGE), ...(cursor && { cursor }) });
  /** @type {Schemas["Page"]} */
  const page = await read(`/v1/customers?${query}`);
  for (const customer of page.customers) into.set(customer.id, customer);
  return page.next;
}

async function more() {
  if (next) next = await readPage(next, customers);
  showList();
}

/** Load as many customers as there were; until they are there, the old ones stay. */
async function load() {
  const wanted = Math.max(PAGE, customers.size);
  /** @type {Map<string, Customer>} */
  const found = new Map();
  /** @type {string | null} */
  let cursor = null;
  do {
    cursor = await readPage(cursor, found);
  } while (cursor && found.size < wanted);
  customers = found;
  next = cursor;
  showList();
  if (shown !== null) await readAgain([shown]);
  failure = "";
}

/** @param {import("./client.js").StreamEvent[]} events */
async function apply(events) {
  if (events.some(({ kind }) => kind === "ready" || kind === "reset")) return load();
  const ids = events.map(({ data }) => /** @type {Schemas["Change"]} */ (JSON.parse(data)).id);
  // Who is on a page that was not read yet will be met there.
  return readAgain([...new Set(ids)].filter((id) => !next || customers.has(id) || id === shown));
}

/** @param {string[]} ids */
async function readAgain(ids) {
  const found = await client.customers(ids);
  for (const customer of found.customers) {
    if (!next || customers.has(customer.id)) {
      customers.set(customer.id, customer);
      showRow(customer)?.classList.add("changed");
    }
    if (shown === customer.id) showCustomer(customer);
  }
  for (const id of found.missing) {
    customers.delete(id);
    rows.get(id)?.remove();
    rows.delete(id);
    if (shown === id) one("#customer dl", HTMLElement).replaceChildren("This customer is no longer there.");
  }
  showCount();
}

/** @param {string} value */
async function lookUp(value) {
  const said = one("#found", HTMLElement);
  try {
    const query = new URLSearchParams(value.includes("@") ? { email: value } : { phone: value });
    /** @type {Schemas["Found"]} */
    const found = await read(`/v1/customers/lookup?${query}`);
    const count = found.complete ? `${found.customers.length}` : `More than ${found.customers.length}`;
    said.replaceChildren(found.customers.length ? `${count} found:` : "Nobody has it.", ...found.customers.map(opener));
  } catch (error) {
    said.textContent = error instanceof Refusal ? error.message : "";
    if (!(error instanceof Refusal || error instanceof Outage)) throw error;
  }
}

/** @param {Customer} customer */
function opener(customer) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = customer.name || customer.id;
  button.addEventListener("click", () => showCustomer(customers.get(customer.id) ?? customer));
  return button;
}

/** @param {Customer} customer @returns {HTMLTableRowElement} */
function showRow(customer) {
  const row = document.createElement("tr");
  row.dataset.id = customer.id;
  for (const content of [opener(customer), customer.email ?? "", customer.status ?? "", time(customer.updated_at)]) {
    row.insertCell().append(content);
  }
  const old = rows.get(customer.id);
  if (old) old.replaceWith(row);
  else one("#customers", HTMLElement).append(row);
  rows.set(customer.id, row);
  return row;
}

function showList() {
  rows.clear();
  one("#customers", HTMLElement).replaceChildren();
  customers.forEach(showRow);
  showCount();
}

function showCount() {
  one("#count", HTMLElement).textContent = `${customers.size} customers${next ? ", and more" : ""}`;
  one("#more", HTMLElement).hidden = !next;
}

/** @param {Customer} customer */
function showCustomer(customer) {
  shown = customer.id;
  one("#customer h2", HTMLElement).textContent = customer.name || customer.id;
  one("#customer dl", HTMLElement).replaceChildren(...description(customer));
  one("#customer", HTMLElement).hidden = false;
}

/** @param {Headers} headers */
function showFreshness(headers) {
  answeredAt = new Date();
  const asOf = headers.get("Customers-As-Of");
  one("#as-of", HTMLElement).hidden = !asOf;
  one("#as-of time", HTMLElement).replaceWith(time(asOf) || document.createElement("time"));
  const isStale = headers.get("Customers-Stale") === "true";
  if (failure) showBanner(failure);
  else if (!isStale) showBanner("");
  else showBanner(asOf ? `it is complete only up to ${instants.format(new Date(asOf))}.` : "nothing was published yet.");
}

function showOutage() {
  showBanner(`customers cannot be read at present; the service last answered at ${instants.format(answeredAt)}.`);
}

/** @param {unknown} error */
function showFailure(error) {
  console.error(error);
  failure = `the page failed (${error}); everything is read again.`;
  showBanner(failure);
}

/** @param {string} reason */
function showBanner(reason) {
  const banner = one("#banner", HTMLElement);
  banner.hidden = !reason;
  const text = `What is shown may be out of date: ${reason}`;
  if (banner.textContent !== text) banner.textContent = text; // else it would be read aloud again and again
}

/** @param {boolean} isLive */
function showLive(isLive) {
  const live = one("#live", HTMLElement);
  live.classList.toggle("on", isLive);
  live.textContent = isLive ? "Live" : "Connecting…";
}

/** @param {boolean} isIn */
function showInside(isIn) {
  for (const selector of ["main", "#live", "#leave"]) one(selector, HTMLElement).hidden = !isIn;
  one("#enter", HTMLElement).hidden = isIn;
}

/** @param {string} address @param {string} key */
async function enter(address, key) {
  const entered = (client = new Client(address, key));
  showInside(true);
  showLive(false);
  const polling = setInterval(() => read("/v1/freshness").catch(() => undefined), FRESHNESS_MS);
  try {
    await read("/v1/freshness").catch(() => undefined);
    await entered.listen({ apply: (events) => inTurn(() => apply(events)), live: showLive, failed: showFailure });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    leave(error.message);
  } finally {
    clearInterval(polling);
  }
}

/** Enter with what this tab keeps; before anything was typed that is nothing. */
function enterAgain() {
  const [address, key] = ["address", "key"].map((name) => sessionStorage.getItem(name));
  if (address && key) enter(address, key);
}

/** @param {string} [why] */
function leave(why = "") {
  client.close();
  sessionStorage.clear();
  customers.clear();
  [next, shown, failure] = [null, null, ""];
  showList();
  one("#customer", HTMLElement).hidden = true;
  one("#as-of", HTMLElement).hidden = true;
  one("#found", HTMLElement).replaceChildren();
  showBanner("");
  showInside(false);
  one("#refusal", HTMLElement).textContent = why;
}

/** Do something with what was typed. @param {string} selector @param {(form: HTMLFormElement) => void} act */
function onSubmit(selector, act) {
  const form = one(selector, HTMLFormElement);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form);
  });
}

onSubmit("#enter", (form) => {
  const given = new FormData(form);
  for (const name of ["address", "key"]) sessionStorage.setItem(name, String(given.get(name)).trim());
  one("#enter [name=key]", HTMLInputElement).value = "";
  enterAgain();
});
onSubmit("#lookup", (form) => inTurn(() => lookUp(String(new FormData(form).get("value")).trim())));
one("#more", HTMLElement).addEventListener("click", () => inTurn(more).catch(() => undefined));
one("#leave", HTMLElement).addEventListener("click", () => leave());
one("#zone", HTMLElement).textContent = instants.resolvedOptions().timeZone;
enterAgain();
