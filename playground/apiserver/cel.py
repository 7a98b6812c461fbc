"""CEL rules of custom resources (x-kubernetes-validations).

Belongs here: compiling the rules of a schema once, and evaluating them level by level with `self`
and `oldSelf`. Does not: the OpenAPI part of a schema (structural). Rules that mention `oldSelf`
run on updates only, and below a list only where items have an identity.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from playground.apiserver.errors import FieldProblem
from playground.apiserver.schema import MISSING, Node, Rule, child, item_key

JsonObject = dict[str, Any]
Program = Callable[[Any, Any], Any]


class CelCompileError(Exception):
    """A rule is no CEL; `path` is its place in the schema."""

    def __init__(self, path: str, text: str, why: str) -> None:
        super().__init__(why)
        self.path, self.text, self.why = path, text, why


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to run."""

    rule: Rule
    check: Program
    message: Program | None
    is_transition: bool


@dataclass(frozen=True, slots=True)
class RuleTree:
    """The rules of one level and of what is below it; None children have no rules."""

    rules: tuple[CompiledRule, ...]
    properties: dict[str, RuleTree]
    additional: RuleTree | None
    items: RuleTree | None


def compile_rules(node: Node, path: str = "openAPIV3Schema") -> RuleTree | None:
    """Compile every rule below `node`; None if there is none. Raises CelCompileError."""
    below = {
        key: tree
        for key, inner in node.properties.items()
        if (tree := compile_rules(inner, f"{path}.properties[{key}]")) is not None
    }
    additional = (
        compile_rules(node.additional, f"{path}.additionalProperties") if node.additional else None
    )
    items = compile_rules(node.items, f"{path}.items") if node.items else None
    rules = tuple(
        _compiled_rule(rule, f"{path}.x-kubernetes-validations[{index}]")
        for index, rule in enumerate(node.rules)
    )
    if not (rules or below or additional or items):
        return None
    return RuleTree(rules, below, additional, items)


def _compiled_rule(rule: Rule, path: str) -> CompiledRule:
    message = None
    if rule.message_expression:
        message = _program(rule.message_expression, f"{path}.messageExpression")
    check = _program(rule.rule, f"{path}.rule")
    return CompiledRule(rule, check, message, "oldSelf" in rule.rule)


def _program(text: str, path: str) -> Program:
    # Imported on first use: the parser generator behind it costs a tenth of a second.
    import celpy
    from celpy.adapter import json_to_cel
    from celpy.celparser import CELParseError

    try:
        syntax = celpy.Environment().compile(text)
    except CELParseError as error:
        raise CelCompileError(path, text, str(error).splitlines()[0]) from error
    runner = celpy.Environment().program(syntax, functions=_functions())

    def run(value: Any, old: Any) -> Any:  # noqa: ANN401  # a CEL value
        bindings = {"self": json_to_cel(value)}
        if old is not MISSING:
            bindings["oldSelf"] = json_to_cel(old)
        return runner.evaluate(bindings)

    return run


def _functions() -> dict[str, Callable[..., Any]]:
    from celpy import celtypes

    def is_ip(text: str) -> Any:  # noqa: ANN401
        return celtypes.BoolType(_parses(ipaddress.ip_address, text))

    def is_cidr(text: str) -> Any:  # noqa: ANN401
        return celtypes.BoolType("/" in text and _parses(ipaddress.ip_interface, text))

    return {"isIP": is_ip, "isCIDR": is_cidr}


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(str(text))
    except ValueError:
        return False
    return True


def rule_problems(
    tree: RuleTree, node: Node, value: object, old: object = MISSING, path: str = ""
) -> Iterator[FieldProblem]:
    """Yield the rules that `value` breaks; `old` is MISSING on create and for new parts."""
    for compiled in tree.rules:
        if compiled.is_transition and old is MISSING:
            continue
        problem = _broken(compiled, node, value, old, path)
        if problem is not None:
            yield problem
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else {}
        for key, inner in value.items():
            below = tree.properties.get(key) or tree.additional
            if below is not None:
                where = _joined(path, key, is_property=key in node.properties)
                was = before.get(key, MISSING)
                yield from rule_problems(below, child(node, key), inner, was, where)
    elif isinstance(value, list) and tree.items is not None and node.items is not None:
        known = _by_key(node, old)
        for index, item in enumerate(value):
            was = known.get(item_key(node, item), MISSING) if node.list_keys else MISSING
            yield from rule_problems(tree.items, node.items, item, was, f"{path}[{index}]")


def _joined(path: str, key: str, *, is_property: bool) -> str:
    if not is_property:
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _by_key(node: Node, old: object) -> dict[object, object]:
    if not node.list_keys or not isinstance(old, list):
        return {}
    return {item_key(node, item): item for item in old}


def _broken(
    compiled: CompiledRule, node: Node, value: object, old: object, path: str
) -> FieldProblem | None:
    rule = compiled.rule
    kind = node.type or "object"
    where = (path + rule.field_path).lstrip(".") or "<nil>"
    try:
        if compiled.check(value, old):
            return None
    except Exception as error:  # whatever the interpreter raises is the rule's failure
        text = f"rule evaluation error: {error} evaluating rule: {rule.message or rule.rule}"
        return FieldProblem("FieldValueInvalid", where, f'Invalid value: "{kind}": {text}')
    detail = _message(compiled, value, old)
    if rule.reason == "FieldValueForbidden":
        return FieldProblem(rule.reason, where, f"Forbidden: {detail}")
    if rule.reason == "FieldValueRequired":
        return FieldProblem(rule.reason, where, f"Required value: {detail}")
    if rule.reason == "FieldValueDuplicate":
        return FieldProblem(rule.reason, where, f'Duplicate value: "{kind}"')
    return FieldProblem("FieldValueInvalid", where, f'Invalid value: "{kind}": {detail}')


def _message(compiled: CompiledRule, value: object, old: object) -> str:
    rule = compiled.rule
    if compiled.message is not None:
        try:
            text = str(compiled.message(value, old)).strip()
        except Exception:  # a broken messageExpression falls back, as in the real server
            text = ""
        if text:
            return text
    return rule.message.strip() or f"failed rule: {rule.rule.strip()}"
