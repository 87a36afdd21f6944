"""Decide what makes a conversation of posts that link to each other. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.model import Answer, Conversation, Post


def conversation(posts: Sequence[Post], answers: Sequence[Answer]) -> Conversation | None:
    """Return the conversation of linked posts, or None when it would be one blog talking to itself.

    A post that came by two feeds is one post; it is named by its oldest copy.
    """
    copies: dict[str, Post] = {}
    first: dict[int, int] = {}
    for post in sorted(posts, key=lambda post: post.id):
        first[post.id] = copies.setdefault(post.url or str(post.id), post).id
    kept = sorted(copies.values(), key=lambda post: (post.published_at or post.shown_at, post.id))
    if len({post.blog.home for post in kept}) < 2:
        return None
    links: dict[tuple[int, int], Answer] = {}
    for answer in answers:
        pair = (first.get(answer.post, 0), first.get(answer.answered, 0))
        if all(pair) and pair[0] != pair[1]:
            links.setdefault(pair, Answer(*pair, answer.excerpt))
    return Conversation(min(copy.id for copy in kept), tuple(kept), tuple(links.values()))
