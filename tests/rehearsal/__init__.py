"""The servers that stand for Google, by themselves; `plugin.cloud` is the fixture of all who need them."""
