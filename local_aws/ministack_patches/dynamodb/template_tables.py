"""DynamoDB's tables of a template: made by DynamoDB itself, with everything that the template says.

MiniStack writes such a table without DynamoDB's own checks, leaves out time to live, point-in-time recovery, encryption
and the table class, and deletes a protected table. What is not emulated is refused by name. Changes of indexes are
those that CloudFormation makes: one index comes or goes in one update, and an index that stays keeps its key and its
projection. Source:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

from ministack.services import dynamodb
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]

_KIND = "AWS::DynamoDB::Table"
_update = provisioners._ddb_update
_KEPT = ("AttributeDefinitions", "KeySchema", "BillingMode", "TableClass", "Tags", "LocalSecondaryIndexes")
_CHANGED_HERE = ("SSESpecification", "DeletionProtectionEnabled")
_KNOWN = frozenset(
    {*_KEPT, "TableName", "ProvisionedThroughput", "StreamSpecification", "SSESpecification", "OnDemandThroughput"}
    | {"GlobalSecondaryIndexes", "TimeToLiveSpecification", "PointInTimeRecoverySpecification"}
    | {"DeletionProtectionEnabled", "ResourcePolicy"}
)


def install() -> None:
    """Replace what CloudFormation calls for a table."""
    provisioners._ddb_create = _create
    provisioners._ddb_delete = _delete
    handlers = provisioners._RESOURCE_HANDLERS[_KIND]
    handlers.update({"create": _create, "update": _update_as_aws, "delete": _delete})


def _create(logical_id: str, props: Properties, stack_name: str) -> tuple[str, dict[str, Any]]:
    _refuse_unknown(props)
    name = props.get("TableName") or provisioners._physical_name(stack_name, logical_id, max_len=255)
    if name in dynamodb._tables:
        raise ValueError(f"{_KIND}: a table with the name {name} already exists")
    request: Properties = {"TableName": name, **{key: props[key] for key in _KEPT if key in props}}
    for key in ("ProvisionedThroughput", "OnDemandThroughput"):
        if key in props:
            request[key] = _numbers(props[key])
    if "GlobalSecondaryIndexes" in props:
        request["GlobalSecondaryIndexes"] = [_index(index) for index in props["GlobalSecondaryIndexes"]]
    if "StreamSpecification" in props:
        request["StreamSpecification"] = {"StreamEnabled": True, **props["StreamSpecification"]}
    request["SSESpecification"] = _encryption(props)
    request["DeletionProtectionEnabled"] = _true(props.get("DeletionProtectionEnabled"))
    _checked(dynamodb._create_table(copy.deepcopy(request)))  # DynamoDB writes into it
    _set_expiry(name, {}, props)
    _set_recovery(name, props)
    _set_policy(name, {}, props)
    return name, provisioners._ddb_attrs(dynamodb._tables[name])


@functools.wraps(_update)  # CloudFormation looks at the signature
def _update_as_aws(
    physical_id: str, old_props: Properties, new_props: Properties, stack_name: str, logical_id: str | None = None
) -> tuple[str, dict[str, Any]]:
    _refuse_unknown(new_props)
    _check_indexes(_indexes(old_props), _indexes(new_props))
    new = {**new_props, "GlobalSecondaryIndexes": list(_indexes(new_props).values())}
    old = {**old_props, "GlobalSecondaryIndexes": list(_indexes(old_props).values())}
    for key in _CHANGED_HERE:  # alike, so that MiniStack does not change them
        old.pop(key, None)
        old.update({key: new[key]} if key in new else {})
    before = dynamodb._tables.get(physical_id)
    name, attributes = _update(physical_id, old, new, stack_name, logical_id)
    if dynamodb._tables[name] is before:  # a table that was replaced has all this from its creation
        wanted = _settings(new_props)
        changed = {key: value for key, value in wanted.items() if value != _settings(old_props)[key]}
        if changed:
            _checked(dynamodb._update_table({"TableName": name, **changed}))
        _set_expiry(name, old_props, new_props)
        _set_recovery(name, new_props)
        _set_policy(name, old_props, new_props)
    return name, attributes


def _settings(props: Properties) -> Properties:
    return {
        "SSESpecification": _encryption(props) or {"Enabled": False},
        "DeletionProtectionEnabled": _true(props.get("DeletionProtectionEnabled")),
        "TableClass": props.get("TableClass", "STANDARD"),
    }


def _delete(physical_id: str, props: Properties) -> None:
    """Delete a table; a protected one stays, and CloudFormation says why."""
    del props
    if physical_id in dynamodb._tables:
        _checked(dynamodb._delete_table({"TableName": physical_id}))


def _refuse_unknown(props: Properties) -> None:
    unknown = sorted(props.keys() - _KNOWN)
    if unknown:
        raise ValueError(f"{_KIND} does not emulate {', '.join(unknown)}")


def _check_indexes(old: dict[str, Properties], new: dict[str, Properties]) -> None:
    if len(old.keys() ^ new.keys()) > 1:
        raise ValueError("Cannot perform more than one GSI creation or deletion in a single update")
    for name in old.keys() & new.keys():
        if any(old[name].get(key) != new[name].get(key) for key in ("KeySchema", "Projection")):
            raise ValueError(
                f"Cannot update GSI's properties other than Provisioned Throughput and Contributor Insights "
                f"Specification. You can create a new GSI with a different name. (index {name})"
            )


def _indexes(props: Properties) -> dict[str, Properties]:
    return {index["IndexName"]: _index(index) for index in props.get("GlobalSecondaryIndexes", [])}


def _index(index: Properties) -> Properties:
    """An index with numbers where a template may have text."""
    throughput = index.get("ProvisionedThroughput")
    return {**index, "ProvisionedThroughput": _numbers(throughput)} if throughput else index


def _set_expiry(name: str, old_props: Properties, new_props: Properties) -> None:
    old, new = (_expiry(props) for props in (old_props, new_props))
    if old == new:
        return
    if old and new:
        raise ValueError(
            "To change the AttributeName of TimeToLiveSpecification, disable time to live in one update, and enable "
            "it with the new name in another"
        )
    specification = {"AttributeName": new or old, "Enabled": bool(new)}
    _checked(dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": specification}))


def _expiry(props: Properties) -> str | None:
    """The attribute that says when an item expires; None when items do not."""
    specification = props.get("TimeToLiveSpecification") or {}
    return specification.get("AttributeName") if _true(specification.get("Enabled")) else None


def _set_recovery(name: str, props: Properties) -> None:
    wanted = _true((props.get("PointInTimeRecoverySpecification") or {}).get("PointInTimeRecoveryEnabled"))
    specification = {"PointInTimeRecoveryEnabled": wanted}
    _checked(
        dynamodb._update_continuous_backups({"TableName": name, "PointInTimeRecoverySpecification": specification})
    )


def _set_policy(name: str, old_props: Properties, new_props: Properties) -> None:
    """The table's own policy, which ``table_policies`` lets decide."""
    old, new = ((props.get("ResourcePolicy") or {}).get("PolicyDocument") for props in (old_props, new_props))
    arn = dynamodb._tables[name]["TableArn"]
    if new and new != old:
        text = new if isinstance(new, str) else json.dumps(new)
        _checked(dynamodb._put_resource_policy({"ResourceArn": arn, "Policy": text}))
    elif old and not new:
        _checked(dynamodb._delete_resource_policy({"ResourceArn": arn}))


def _encryption(props: Properties) -> Properties | None:
    """SSESpecification as DynamoDB's API writes it."""
    given = props.get("SSESpecification")
    if not given:
        return None
    rest = {key: value for key, value in given.items() if key != "SSEEnabled"}
    return {"Enabled": _true(given.get("SSEEnabled")), **rest}


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def _numbers(throughput: Properties) -> Properties:
    return {key: int(value) for key, value in throughput.items()}


def _checked(answer: tuple[int, dict[str, str], bytes]) -> None:
    status, _, body = answer
    if status >= 400:
        said = json.loads(body)
        raise ValueError(f"{_KIND}: {said.get('message') or said.get('Message') or said}")
