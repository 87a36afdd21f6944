"""Values in, pages and feeds out: the front page, posts and conversations, and what is told to who sends pings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aggregator.model import Answer, Blog, Conversation, ListedMention, Mention, Post, Thought
from aggregator.overview import Front, Topic
from aggregator.site import feeds, words
from aggregator.site.days import days, fair
from aggregator.site.feeds import Channel
from aggregator.site.sections import Sections
from aggregator.site.templating import Look, Templates

# Programs that read feeds fold nothing: of a flood they get this much beyond what the page shows.
_MOST_FOLDED_IN_FEEDS = 20


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a ping: what it is called, what came of it, and lines to be shown as they are."""

    name: str
    words: str
    is_good: bool
    lines: tuple[str, ...] = ()
    link: str = ""
    link_words: str = ""


class Renderer:
    """Renders every page of one planet; those that gather posts are in `sections`."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.templates = Templates(look)
        self.sections = Sections(self.templates)
        self.fingerprint = self.templates.fingerprint

    def static(self) -> dict[str, bytes]:
        """Return the stylesheet, the script and the icon, and the files that never change by themselves."""
        files = {f"static/{name}": content for name, content in self.templates.static.items()}
        files["favicon.ico"] = self.templates.static["favicon.ico"]  # some ask for it where it has always been
        files["robots.txt"] = self.templates.page("robots.txt")
        files["opensearch.xml"] = self.templates.page("opensearch.xml")
        return files

    def river(
        self, front: Front, thoughts: Mapping[int, Sequence[Thought]], topics: Mapping[int, Sequence[Topic]]
    ) -> dict[str, bytes]:
        """Return the front page and the feeds; posts come newest first."""
        masthead = self.look.masthead
        channel = Channel(masthead.title, masthead.url, masthead.url, masthead.description)
        told = fair(front.posts, self.look.per_feed_per_day + _MOST_FOLDED_IN_FEEDS)
        return {
            "index.html": self.templates.page(
                "river.html",
                here="river",
                front=front,
                groups=days(front.posts, self.templates.speech.zone, self.look.per_feed_per_day),
                echoes=thoughts,
                topics=topics,
            ),
            **feeds.files(self.templates, "", channel, feeds.of_posts(self.templates, told)),
        }

    def post(
        self,
        post: Post,
        thoughts: Sequence[Thought],
        conversation: Conversation | None = None,
        topics: Sequence[Topic] = (),
    ) -> dict[str, bytes]:
        """Return the page of one post with its thoughts, and the feed of these."""
        page = self.templates.page(
            "post.html", pingable=True, post=post, thoughts=thoughts, conversation=conversation, topics=topics
        )
        folder = post.path[1:]
        return {f"{folder}index.html": page, f"{folder}thoughts.atom": self.thoughts_feed(post, thoughts)}

    def conversation(self, conversation: Conversation) -> dict[str, bytes]:
        """Return the page of one conversation: its posts in order of time, and who answers whom."""
        numbers = {post.id: number for number, post in enumerate(conversation.posts, 1)}
        answers: dict[int, list[Answer]] = {}
        for answer in conversation.answers:
            answers.setdefault(answer.post, []).append(answer)
        page = self.templates.page(
            "conversation.html",
            here="talks",
            pingable=True,
            conversation=conversation,
            numbers=numbers,
            answers=answers,
            blogs={post.id: post.blog.name for post in conversation.posts},
        )
        return {f"{conversation.path[1:]}index.html": page}

    def mention(self, mention: Mention) -> bytes:
        """Return the page that tells the sender of a ping what became of it."""
        return self.templates.page("mention.html", mention=mention)

    def thoughts_feed(self, post: Post, thoughts: Sequence[Thought]) -> bytes:
        """Return the Atom feed of the thoughts under a post."""
        gettext = self.templates.speech.translations.gettext
        title = gettext("Thoughts on %(post)s") % {"post": words.quoted(words.headline(post) or gettext("Untitled"))}
        url = f"{self.look.masthead.url}{post.path[1:]}"
        items = [feeds.of_thought(self.templates, post, thought) for thought in reversed(thoughts)]
        return feeds.rendered(self.templates, Channel(title, url, url, name="thoughts"), items, "atom")

    def blog_mentions(self, blog: Blog, mentions: Sequence[ListedMention]) -> dict[str, bytes]:
        """Return the Atom feed of what is linked to a blog's posts."""
        gettext = self.templates.speech.translations.gettext
        folder = blog.path[1:]
        base = f"{self.look.masthead.url}{folder}"
        channel = Channel(gettext("Mentions of %(blog)s") % {"blog": blog.name}, base, blog.home, name="mentions")
        items = [feeds.of_mention(self.templates, each) for each in mentions]
        return {f"{folder}mentions.atom": feeds.rendered(self.templates, channel, items, "atom")}

    def held_mentions(self, folder: str, mentions: Sequence[ListedMention]) -> bytes:
        """Return the Atom feed of linkbacks that wait for the operator."""
        gettext = self.templates.speech.translations.gettext
        masthead = self.look.masthead
        title = gettext("Linkbacks that wait at %(planet)s") % {"planet": masthead.title}
        channel = Channel(title, f"{masthead.url}{folder}", masthead.url)
        items = [feeds.of_mention(self.templates, each) for each in mentions]
        return feeds.rendered(self.templates, channel, items, "atom")

    def webmention_form(self, target: str = "") -> bytes:
        """Return the form by which a person sends a webmention."""
        return self.templates.page("webmention.html", target=target)

    def ping_test(self, source: str = "", target: str = "", steps: Sequence[Step] = ()) -> bytes:
        """Return the form by which a blogger sends a ping, with what happened to the one that was sent."""
        return self.templates.page("ping_test.html", source=source, target=target, steps=steps)

    def notice(self, headline: str, explanation: str, link: str = "") -> bytes:
        """Return a page that says one thing, such as that there is no such page; and leads to another one."""
        gettext = self.templates.speech.translations.gettext
        said = {"headline": gettext(headline), "explanation": gettext(explanation)}
        return self.templates.page("notice.html", **said, link=link)
