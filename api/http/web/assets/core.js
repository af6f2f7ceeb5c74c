// Preact with htm's templates. Text that a template is given becomes a text node or a plain
// attribute, never markup, so names and logs of any content are safe to show.
import { h, render } from "./vendor/preact.mjs";
import htm from "./vendor/htm.mjs";

export { useCallback, useEffect, useMemo, useRef, useState } from "./vendor/hooks.mjs";
export { render };
export const html = htm.bind(h);
