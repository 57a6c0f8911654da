"""The outline of a page: what is open must be closed, what is named must be there."""

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "input", "br"}


class Outline(HTMLParser):
    """Elements, their attributes and the addresses in them; complains of what is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.addresses, self.attributes = [], [], [], set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "action", "srcset", "poster", "data"):
                self.addresses.append(value)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag
