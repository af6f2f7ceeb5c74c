#!/bin/bash
# Installs Debian's Chromium for the browser tests where this user may; says so where not.
set -u
for name in chromium chromium-browser google-chrome; do
  command -v "$name" > /dev/null && exit 0
done
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
if command -v apt-get > /dev/null && "${as_root[@]}" true 2> /dev/null; then
  echo "Installing Chromium for the browser tests"
  "${as_root[@]}" apt-get install -y -qq chromium > /dev/null && exit 0
fi
echo "There is no Chromium, and it cannot be installed here: the browser tests are skipped." >&2
exit 0
