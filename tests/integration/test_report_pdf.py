"""A report on paper, by the Chromium that is installed: pages, and twice the same bytes."""

import shutil

import pytest

from sre.reports.pdf import BROWSERS, print_pdf

pytestmark = pytest.mark.integration
AT = 1_790_000_000.0

PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"><title>A report</title>
<style>@page { size: A4; } h1 { break-after: page; }</style></head>
<body><h1>One</h1><h1>Two</h1><p>Three</p><script>document.title = "ran"</script></body></html>"""


@pytest.fixture
def page(tmp_path):
    pytest.importorskip("playwright", reason="playwright is not installed (extra pdf)")
    if not any(shutil.which(name) for name in BROWSERS):
        pytest.skip("Chromium is not installed")
    path = tmp_path / "page.html"
    path.write_text(PAGE)
    return path


def test_a_page_is_printed_and_again_to_the_same_bytes(page, tmp_path):
    first, second = tmp_path / "a.pdf", tmp_path / "b.pdf"
    for target in (first, second):
        print_pdf(page, target, at=AT)
    document = first.read_bytes()
    assert document.startswith(b"%PDF-")
    assert document.count(b"/Type /Page\n") == 3
    assert b"D:20260921" in document
    assert second.read_bytes() == document
