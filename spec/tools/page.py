"""What the build of the draft does to its pages: references from spec/refs, anchors of requirements.

Called by build.sh: `page.py references FOLDER FILE.xml`, `page.py anchors FILE.html`.
"""

import re
import sys
from pathlib import Path

# Wide tables and figures scroll in their own boxes, so that the page does not on a narrow screen.
STYLE = (
    "<style>@media screen{table,pre{display:block;max-width:100%;overflow-x:auto}"
    "code,.refDiv,dd,li,p{overflow-wrap:anywhere}}</style></head>"
)
DATE = '<date year="2026" month="November" day="25"/>'
REQUIREMENT = re.compile(r"\(([A-Z]+-[1-9][0-9]*)\)")
# What a browser would fetch: fonts from elsewhere, and a style sheet beside the page that nobody has.
FETCHED = re.compile(r"""<link href="rfc-local.css"[^>]*>|@import url\([^)]*\);""")


def with_references(page: str, refs: Path) -> str:
    """The page with each RFC's reference in place; one that is not in `refs` is an error."""
    page = re.sub(r"<!ENTITY RFC\d+ SYSTEM[^>]*>\n?", "", page)
    page = re.sub(
        r"&RFC(\d+);", lambda m: (refs / f"reference.RFC.{m[1]}.xml").read_text().partition("?>")[2], page
    )
    return re.sub(r"<date[^>]*/>", DATE, page, count=1)


def with_anchors(page: str) -> str:
    """The page with an anchor on every requirement's identifier, where it first stands."""
    seen: set[str] = set()

    def anchor(found: re.Match[str]) -> str:
        name = found[1]
        mark = "" if name in seen else f' id="{name}"'
        seen.add(name)
        return f'(<a href="#{name}"{mark} class="selfRef">{name}</a>)'

    return REQUIREMENT.sub(anchor, FETCHED.sub("", page)).replace("</head>", STYLE, 1)


def main() -> None:
    """Change one file in place."""
    what, *rest = sys.argv[1:]
    path = Path(rest[-1])
    page = path.read_text()
    path.write_text(with_references(page, Path(rest[0])) if what == "references" else with_anchors(page))


if __name__ == "__main__":
    main()
