"""No two modules of a room import each other, directly or through others, not even for their types."""

from __future__ import annotations

import grimp
import pytest


@pytest.fixture(scope="module")
def imports():
    return grimp.build_graph("flowerexp", include_external_packages=False)


@pytest.mark.parametrize("room", ["analysis", "measurements", "tracking", "search"])
def test_a_room_has_no_import_circle(imports, room):
    name = f"flowerexp.{room}"
    modules = {name, *imports.find_descendants(name)}
    circles = {
        tuple(sorted((module, imported)))
        for module in modules
        for imported in imports.find_modules_directly_imported_by(module) & modules
        if imports.find_shortest_chain(importer=imported, imported=module)
    }
    assert circles == set()
