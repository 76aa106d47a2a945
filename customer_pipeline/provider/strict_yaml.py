"""YAML in which a key stands once: PyYAML would silently take the last of two, and lose the other."""

from collections.abc import Hashable
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """The safe loader, for a file that a person wrote."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 -- PyYAML's signature
        seen: dict[Any, yaml.Node] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                if key in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key!r} stands twice in one mapping; remove one", key_node.start_mark
                    )
                seen[key] = key_node
        return super().construct_mapping(node, deep)


def load(text: str) -> Any:
    """Parse one YAML document.

    Raises:
        yaml.YAMLError: if it is none, or has a key twice.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 -- a subclass of the safe loader
