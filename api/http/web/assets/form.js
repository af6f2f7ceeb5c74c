// A form made from a JSON Schema, and the document that its fields say.
import { html } from "./core.js";

// `#/components/schemas/X` and a single alternative to null stand for their own schema.
export function resolved(schema, schemas) {
  if (schema.$ref) return { ...resolved(schemas[schema.$ref.split("/").pop()], schemas), ...rest(schema) };
  const others = (schema.anyOf || schema.allOf || []).filter((one) => one.type !== "null");
  if (others.length !== 1) return schema;
  return { ...resolved(others[0], schemas), ...rest(schema), optional: others.length < (schema.anyOf || []).length };
}

const rest = (schema) => Object.fromEntries(Object.entries(schema).filter(([name]) => !["$ref", "anyOf", "allOf"].includes(name)));
const words = (name) => name.replaceAll("_", " ");
const alternatives = (schema) => schema.anyOf || [];
const takesNumber = (schema) => [schema, ...alternatives(schema)].some((one) => ["integer", "number"].includes(one.type));
const takesList = (schema) => schema.type === "array" || alternatives(schema).some((one) => one.type === "array");
const isMap = (schema) => schema.type === "object" && !schema.properties;

function example(schema) {
  const [first] = (schema.examples || []).filter((one) => one !== undefined);
  if (first === undefined) return "";
  return Array.isArray(first) ? first.join(takesWholeLines(schema) ? "\n" : ", ") : String(first);
}

// Arguments of a program may hold commas and blanks: one a line.
const takesWholeLines = (schema) => schema.type === "array" && schema.minItems > 0;

export function Field({ name, schema, schemas, values, change, problems, path }) {
  const known = resolved(schema, schemas);
  const at = `${path}${name}`;
  if (known.properties) {
    return html`<fieldset class="wide"><legend>${words(name)} <small>${known.description}</small></legend>
      <${Fields} schema=${known} schemas=${schemas} values=${values} change=${change} problems=${problems} path=${`${at}.`} /></fieldset>`;
  }
  const wrong = problems.filter((one) => one.field === at || one.field.startsWith(`${at}.`)).map((one) => one.message);
  const label = html`${words(name)}${known.required && " *"} <small>${(known.description || "").replaceAll("`", "")}</small>`;
  const given = values[at] ?? "";
  const common = { name: at, "aria-invalid": wrong.length > 0 ? "true" : undefined };
  const typed = (event) => change(at, event.target.value);
  let field;
  if (known.type === "boolean") {
    return html`<label class="check"><input type="checkbox" ...${common} checked=${given === "" ? known.default === true : given === "true"}
      onChange=${(event) => change(at, String(event.target.checked))} />${label}</label>`;
  } else if (known.enum) {
    field = html`<select ...${common} value=${given} onChange=${typed}><option value="">${known.default === undefined ? "" : `${known.default} (default)`}</option>
      ${known.enum.map((one) => html`<option value=${one}>${one}</option>`)}</select>`;
  } else if (takesWholeLines(known) || isMap(known)) {
    field = html`<textarea rows="3" ...${common} placeholder=${isMap(known) ? "NAME=value, one a line" : `one a line:\n${example(known)}`} value=${given} onInput=${typed}></textarea>`;
  } else if (["integer", "number"].includes(known.type)) {
    field = html`<input type="number" step=${known.type === "integer" ? "1" : "any"} min=${known.minimum ?? known.exclusiveMinimum} max=${known.maximum}
      ...${common} placeholder=${known.default ?? example(known)} value=${given} onInput=${typed} />`;
  } else {
    const words = Array.isArray(known.default) && known.default.every((one) => typeof one === "string");
    const hint = words ? known.default.join(", ") : typeof known.default === "object" ? "" : known.default;
    field = html`<input ...${common} placeholder=${hint || (example(known) && `such as ${example(known)}`)} value=${given} onInput=${typed} />`;
  }
  return html`<label class=${takesWholeLines(known) || isMap(known) ? "wide" : ""}>${label}${field}
    ${wrong.map((text) => html`<span class="wrong" role="alert">${text}</span>`)}</label>`;
}

export function Fields({ schema, names, ...others }) {
  return html`<div class="fields">${(names || Object.keys(schema.properties)).map((name) => html`
    <${Field} key=${name} name=${name} schema=${{ ...schema.properties[name], required: (schema.required || []).includes(name) }} ...${others} />`)}</div>`;
}

// The document of the fields that were filled in; the service has defaults for the others.
export function document(values, schema, schemas) {
  const found = {};
  for (const [path, text] of Object.entries(values)) {
    if (text === "") continue;
    const parts = path.split(".");
    let known = { properties: schema.properties };
    for (const part of parts) known = known.properties && known.properties[part] ? resolved(known.properties[part], schemas) : {};
    let inside = found;
    for (const part of parts.slice(0, -1)) inside = inside[part] ||= {};
    inside[parts[parts.length - 1]] = value(text, known);
  }
  return found;
}

function value(text, schema) {
  if (schema.type === "boolean") return text === "true";
  if (isMap(schema)) {
    return Object.fromEntries(text.split("\n").filter((line) => line.trim()).map((line) => {
      const at = line.indexOf("=");
      return at < 0 ? [line.trim(), ""] : [line.slice(0, at).trim(), line.slice(at + 1)];
    }));
  }
  if (takesWholeLines(schema)) return text.split("\n").filter((line) => line !== "");
  if (takesList(schema)) return text.split(",").map((one) => one.trim()).filter(Boolean).map((one) => (/^\d+$/.test(one) ? Number(one) : one));
  const number = Number(text);
  return takesNumber(schema) && text.trim() !== "" && !isNaN(number) ? number : text.trim();
}
