"""Reads a feed from standard input with feedparser, and prints what it understood as JSON."""

import json
import sys

import feedparser

feed = feedparser.parse(sys.stdin.buffer.read())
print(
    json.dumps(
        {
            "well_formed": not feed.bozo,
            "version": feed.version,
            "id": feed.feed.get("id"),
            "title": feed.feed.get("title"),
            "updated": feed.feed.get("updated"),
            "links": [[link.rel, link.type, link.href] for link in feed.feed.links],
            "entries": [
                {
                    "id": entry.id,
                    "title": entry.title,
                    "title_type": entry.title_detail.type,
                    "updated": entry.updated,
                    "published": entry.published,
                    "link": entry.link,
                    "text": entry.content[0].value,
                    "text_type": entry.content[0].type,
                }
                for entry in feed.entries
            ],
        }
    )
)
