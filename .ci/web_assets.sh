#!/bin/sh
# Fetches the libraries of the web page from the npm registry and lays them into the package.
# They are changed in two ways only: the hooks import Preact by path, and uPlot is an ES module.
set -eu
cd "$(dirname "$0")/../api/http/web/assets/vendor"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for package in preact@11.2.0 htm@3.1.1 uplot@1.6.32; do
  name=${package%@*}
  mkdir "$folder/$name"
  (cd "$folder" && npm pack --silent "$package" | xargs -I FILE tar -xzf FILE -C "$name" --strip-components 1)
  cp "$folder/$name/LICENSE" "LICENSE.$name.txt"
done
sed '/^\/\/# sourceMappingURL/d' "$folder/preact/dist/preact.mjs" > preact.mjs
sed 's#from"preact"#from"./preact.mjs"#; /^\/\/# sourceMappingURL/d' \
  "$folder/preact/hooks/dist/hooks.mjs" > hooks.mjs
cp "$folder/htm/dist/htm.mjs" htm.mjs
{ cat "$folder/uplot/dist/uPlot.iife.min.js"; echo; echo 'export default uPlot;'; } > uPlot.mjs
cp "$folder/uplot/dist/uPlot.min.css" uPlot.css
