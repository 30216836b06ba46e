"""The page in a browser without a window: what is seen, and that it goes when it is not true any more."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtaffect.outputs import page_server
from rtaffect.outputs.page_feed import PageFeed
from rtaffect.outputs.page_server import PageServer
from rtaffect.present.page_state import now_told
from tests.support.browser import CHROMIUM, Browser, browser
from tests.support.fake_feedback import fake_session
from tests.support.watched import tell

#: A limit to what a process may address is not one of its memory, and no browser starts below it.
if sys.platform == "win32":
    LIMITED = True
else:
    import resource

    LIMITED = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY

pytestmark = pytest.mark.skipif(not CHROMIUM or LIMITED, reason="needs Chromium, which starts without limits to memory")

READY = "typeof rows !== 'undefined' && rows && now && steps.length && !dirty"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture
def feed() -> PageFeed:
    return PageFeed()


@pytest.fixture
def server(feed: PageFeed) -> Iterator[PageServer]:
    made = PageServer("127.0.0.1", 0, feed)
    yield made
    made.close()


def values(page: Browser) -> list[str]:
    """Return what stands beside each row."""
    return page.ask(
        "[...document.querySelectorAll('#rows button')].map(b => [...b.children].slice(2).filter(e => !e.hidden)"
        ".map(e => e.textContent).join(' '))"
    )


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_all_is_seen_at_once(
    page: Browser, server: PageServer, feed: PageFeed, size: tuple[int, int], tmp_path: Path
) -> None:
    tell(feed, fake_session(200), trouble=("the disk is full",), banner="a demonstration")
    page.open(f"http://127.0.0.1:{server.port}/", size)
    page.wait(READY)
    assert page.errors == []
    shown = page.ask("document.body.innerText")
    for words in (
        "a story, told twice", "P07", "running", "23 of 24 rows", "F7 has too little good data", "the disk is full",
        "Mean over 24 channels", "Channel Fp1", "Muse-3B91", "poor: Fp2, F8, T7, CP5, Pz", "2 of 5: Run 1 (feedback)",
        "Pause", "observed against the stored reference", "a demonstration", "age",
    ):  # fmt: skip
        assert words in shown, words
    assert values(page).count("withheld") == 1
    assert page.ask("document.documentElement.scrollWidth <= innerWidth && document.body.scrollHeight <= innerHeight")
    # Curves are drawn: the colours of both are there.
    count = (
        "(c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;"
        " for (let i = 0; i < d.length; i += 4) n += d[i + 3] > 200 && {}; return n; }})(document.getElementById('{}'))"
    )
    for plot in ("plot0", "plot1"):
        for colour in ("d[i] > 200 && d[i + 2] < 60", "d[i] < 110 && d[i + 2] > 200"):
            assert page.ask(count.replace("{}", colour, 1).replace("}}", "}").replace("{}", plot)) > 100
    page.picture(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 20_000


def test_what_is_too_old_is_withheld_and_never_the_former_value(
    page: Browser, server: PageServer, feed: PageFeed
) -> None:
    tell(feed, fake_session(60), age_s=9.0)
    page.open(f"http://127.0.0.1:{server.port}/")
    page.wait(READY)
    assert "no step for" in page.text("#state")
    assert set(values(page)) == {"withheld"}
    assert page.text("#say0").startswith("withheld: no step for")
    assert page.text("#trusted") == "nothing now"


def test_what_waited_for_who_opens_the_page_is_as_old_as_it_is(
    page: Browser, server: PageServer, feed: PageFeed
) -> None:
    steps = fake_session(60)
    tell(feed, steps)
    # Half a minute ago.
    feed.put("now", now_told(steps[-1]) | {"agreement": "", "dropped": 0, "age_s": 0.2, "made": time.monotonic() - 30})
    page.open(f"http://127.0.0.1:{server.port}/")
    page.wait(READY)
    assert "no step for 30 s" in page.text("#state")
    assert set(values(page)) == {"withheld"}


def test_the_end_and_a_lost_connection_take_the_values_away(page: Browser, server: PageServer, feed: PageFeed) -> None:
    tell(feed, fake_session(60))
    page.open(f"http://127.0.0.1:{server.port}/")
    page.wait(READY)
    assert values(page).count("withheld") == 1
    server.close()
    page.wait("document.getElementById('state').textContent.includes('no connection')")
    assert set(values(page)) == {"withheld"}
    again = PageServer("127.0.0.1", server.port, ended := PageFeed())
    tell(ended, fake_session(60))
    ended.put("end", {"words": "the session has ended"})
    page.wait("document.getElementById('state').textContent.includes('ended')")
    assert page.text("#say0") == "withheld: the session has ended"
    again.close()


def test_texts_from_outside_are_texts(page: Browser, server: PageServer, feed: PageFeed) -> None:
    tell(feed, fake_session(30, people=("<img src=x onerror=alert(1)>",)), title="<script>alert(1)</script>")
    page.open(f"http://127.0.0.1:{server.port}/")
    page.wait(READY)
    assert page.text("#title") == "<script>alert(1)</script>"
    assert page.ask("document.images.length") == 0


def test_a_token_opens_it(page: Browser, feed: PageFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_server, "WRONG_S", 0.01)
    tell(feed, fake_session(30))
    server = PageServer("127.0.0.1", 0, feed, "0123456789 äöü %")
    try:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait("!document.getElementById('door').hidden")
        assert page.text("#title") == "rtaffect", "nothing of the session is told before"
        page.ask("token.value = 'wrong'; document.querySelector('#door button').click(); 1")
        page.wait("doorwords.textContent.includes('not the right one')")
        page.ask("token.value = '0123456789 äöü %'; document.querySelector('#door button').click(); 1")
        page.wait(READY)
        assert page.text("#title") == "a story, told twice"
        page.ask("sessionStorage.clear(); 1")
        page.open("about:blank")
        page.open(f"http://127.0.0.1:{server.port}/#0123456789%20%C3%A4%C3%B6%C3%BC%20%25")
        page.wait(READY)
        assert page.ask("location.href") == f"http://127.0.0.1:{server.port}/", "it does not stay in the address"
    finally:
        server.close()


def test_keys_choose_a_row(page: Browser, server: PageServer, feed: PageFeed) -> None:
    tell(feed, fake_session(30))
    page.open(f"http://127.0.0.1:{server.port}/")
    page.wait(READY)
    for key in ("ArrowDown", "ArrowDown"):
        page("Input.dispatchKeyEvent", type="keyDown", key=key)
    page.wait("document.getElementById('title1').textContent === 'Channel F7'")
    assert page.text("#say1") == "withheld: F7 has too little good data"
