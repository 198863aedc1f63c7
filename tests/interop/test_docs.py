"""The documents say what is there: man pages, headers, examples and the README agree."""

import os
import pathlib
import re

import pytest

import programs

SOURCE = pathlib.Path(os.environ["CINCH_SOURCE"])
HEADERS = sorted((SOURCE / "include" / "cinch").glob("*.h"))
PAGES = {path.name.removesuffix(".3.scd"): path.read_text()
         for path in sorted((SOURCE / "docs" / "man").glob("*.3.scd"))}
MARKDOWN = sorted(SOURCE.glob("*.md")) + sorted((SOURCE / "docs").glob("*.md"))
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "RETURN VALUES", "THREADS", "EXAMPLES", "CAVEATS",
            "SEE ALSO"]
OPTIONAL = {"ENVIRONMENT"}


def page_of(header):
    """cinch.h and export.h have nothing to call: libcinch(3) has them."""
    return "libcinch" if header.stem in ("cinch", "export") else f"cinch_{header.stem}"


def one_line(declaration):
    words = re.sub(r"\s+", " ", re.sub(r"\bCINCH_(?:API|MUST_USE)\b", "", declaration))
    return re.sub(r"\s*([(),*])\s*", r"\1", words).strip()


def declarations(header):
    code = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
    return [one_line(match) for match in re.findall(r"^CINCH_API\b([^;{]*);", code, re.MULTILINE)] + \
        inline(header)


def inline(header):
    """What is in the header itself, and for everybody: its comment begins with its name."""
    return [one_line(declaration) for name, declaration in
            re.findall(r"^ \* (cinch_\w+) (?:(?!\*/).)*\*/\nstatic inline ([^{]*)\n\{", header.read_text(),
                       re.MULTILINE | re.DOTALL) if f"{name}(" in declaration]


def exported():
    text = re.sub(r"/\*.*?\*/", "", (SOURCE / "src" / "libcinch.map").read_text())
    names = re.findall(r"\b(cinch_\w+);", text)
    return names + [re.search(r"\b(cinch_\w+)\(", declaration).group(1)
                    for header in HEADERS for declaration in inline(header)]


def test_every_header_has_its_page():
    assert {page_of(header) for header in HEADERS} == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_the_sections_of(page):
    sections = re.findall(r"^# (.*)$", PAGES[page], re.MULTILINE)
    assert [name for name in sections if name not in OPTIONAL] == SECTIONS


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header.stem)
def test_the_synopsis_is_the_header(header):
    synopsis = PAGES[page_of(header)].split("# SYNOPSIS")[1].split("```")[1]
    if page_of(header) == "libcinch":
        assert synopsis.strip() == "#include <cinch/cinch.h>"
        return
    include, *rest = synopsis.strip().split("\n", 1)
    assert include == f"#include <cinch/{header.name}>"
    found = [one_line(part) for part in "".join(rest).split(";") if part.strip()]
    assert found == declarations(header)


def test_every_exported_function_is_described():
    described = set()
    for text in PAGES.values():
        described |= set(re.findall(r"\*(cinch_\w+)\*\(\)", text.split("# DESCRIPTION")[1]))
    assert len(exported()) > 80
    assert sorted(set(exported()) - described) == []
    assert sorted(described - set(exported())) == []


def test_every_constant_of_the_man_pages_exists():
    code = "".join(header.read_text() for header in HEADERS)
    for page, text in PAGES.items():
        for name in re.findall(r"\bCINCH_[A-Z0-9_]*[A-Z0-9]\b", text):
            assert re.search(rf"\b{name}", code), f"{page}(3) has {name}"


def test_pages_that_are_referred_to_exist():
    ours = set(PAGES) | {path.name.removesuffix(".1.scd")
                         for path in (SOURCE / "docs" / "man").glob("*.1.scd")}
    for page, text in PAGES.items():
        for name in re.findall(r"\b((?:lib)?cinch[\w-]*)\*?\([13]\)", text):
            assert name in ours, f"{page}(3) refers to {name}"


def test_programs_in_documents_are_those_of_the_examples():
    outcome = programs.run(SOURCE / "tests" / "tools" / "doc-examples")
    assert outcome.code == 0, outcome.text


def test_every_example_is_built():
    listed = re.findall(r"^  '(\w+)'(?:,|: \w+,)$", (SOURCE / "examples" / "meson.build").read_text(),
                        re.MULTILINE)
    assert sorted(listed) == sorted(path.stem for path in (SOURCE / "examples").glob("*.c"))


@pytest.mark.parametrize("document", MARKDOWN, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    text = document.read_text()
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
               for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        if path:
            assert (document.parent / path).exists(), target
        else:
            assert anchor in anchors, target
