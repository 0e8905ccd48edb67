"""Every name inside MiniStack that the patches change or use, checked when the server starts.

MiniStack does not promise to keep these names. If a version lacks one, the server does not start, and says which.
`local-aws upgrade-report VERSION` says beforehand what a release changes.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.metadata import version
from typing import Any

from local_aws.errors import LocalAwsError
from local_aws.ministack_patches.lambda_ import worker_script

WRITTEN_FOR = "1.5.33"

NAMES = {
    "ministack.app": (
        "SERVICE_HANDLERS",
        "_build_persistence_save_dict",
        "_execute_api_authorization_type",
        "_handle_execute_api_request",
        "_IncompleteRequestBody",
        "_RequestBodyDisconnected",
        "_parse_execute_api_url",
        "_read_request_body",
        "_request_account_scope",
        "app",
        "pin_request_origin",
        "pin_signed_body",
    ),
    "ministack.core.arn": ("ArnParseError", "parse_arn"),
    "ministack.core.concurrency": ("esm_wake",),
    "ministack.core.iam_actions": ("extract_resource_arn",),
    "ministack.core.iam_evaluator": (
        "AmbiguousAccessKeyError",
        "AuthError",
        "EvalContext",
        "_POLICY_REQUIRED",
        "_RESOURCE_POLICY_LOOKUPS",
        "_gather_role_policies",
        "_permissions_boundary",
        "_resolve_managed_policy_document",
        "_resource_policy",
        "caller_arn",
        "combine_resource_policy",
        "enforce",
        "evaluate",
        "evaluate_resource_policy",
        "is_root_access_key",
        "parse_policy_document",
        "pin_signed_body",
        "pin_signed_request",
    ),
    "ministack.core.lambda_runtime": (
        "Worker.invoke",
        "_PYTHON_WORKER_SCRIPT",
        "_lock",
        "_workers",
        "kill_workers",
        "reset",
        "subprocess",
    ),
    "ministack.core.persistence": ("_json_default", "_state_format_version"),
    "ministack.core.responses": (
        "StreamingResponse",
        "error_response_json",
        "get_account_id",
        "get_region",
        "json_response",
        "new_uuid",
        "set_request_account_id",
        "set_request_region",
    ),
    "ministack.core.router": ("SERVICE_PATTERNS", "extract_access_key_id", "extract_region"),
    "ministack.services.apigateway_v1": (
        "_OPENAPI_HTTP_METHODS",
        "_authorizers_v1",
        "_build_lambda_event_v1",
        "_call_lambda_raw",
        "_check_api_key",
        "_delete_rest_api",
        "_documentation_parts",
        "_gateway_responses",
        "_import_rest_api",
        "_models",
        "_put_gateway_response",
        "_resources",
        "_rest_apis",
        "find_api_scope",
    ),
    "ministack.services.athena": (
        "_data_format",
        "_empty_relation",
        "_materialize_table_files",
        "_mock_query_results",
        "_rewrite_data_paths",
        "_table_relation",
    ),
    "ministack.services.cloudformation.provisioners": (
        "_RESOURCE_HANDLERS",
        "_ddb_attrs",
        "_ddb_create",
        "_ddb_delete",
        "_ddb_update",
        "_physical_name",
        "_s3_delete",
        "_sfn_definition",
    ),
    "ministack.services.cloudwatch": (
        "_alarms",
        "_calc_stats",
        "_dims_from_list",
        "_dims_key",
        "_dispatch_alarm_actions",
        "_error",
        "_evaluate_alarm",
        "_evaluate_parent_alarms",
        "_is_sns_action_arn",
        "_metric_bucket",
        "_metrics",
        "_p",
        "_put_metric_alarm",
        "_record_history",
        "_stat_value",
        "_store_datum",
        "cloudformation_put_metric_alarm",
        "record_metric",
    ),
    "ministack.services.cloudwatch_logs": ("_append_log_events", "_log_groups"),
    "ministack.services.dynamodb": (
        "_create_table",
        "_delete_resource_policy",
        "_delete_table",
        "_emit_stream_event",
        "_lock",
        "_normalize_table_name",
        "_put_resource_policy",
        "_remove_item",
        "_resource_policies",
        "_stream_records",
        "_tables",
        "_ttl_settings",
        "_update_continuous_backups",
        "_update_table",
        "_update_ttl",
    ),
    "ministack.services.eventbridge": (
        "_dispatch_event",
        "_dispatch_to_lambda",
        "_dispatch_to_sqs",
        "_event_buses",
        "_invoke_target",
        "_put_events",
    ),
    "ministack.services.iam": (
        "handle_request",
        "_roles",
    ),
    "ministack.services.lambda_svc": (
        "_ACCOUNT_CONCURRENCY_CAP",
        "_ESM_BACKOFF_SECONDS",
        "_create_esm",
        "_emit_lambda_logs",
        "_esm_backoff_until",
        "_esms",
        "_execute_function",
        "_execute_function_dispatch",
        "_execute_function_warm",
        "_execution_record_for_config",
        "_functions",
        "_get_func_record_for_ref_in_scope",
        "_reserved_concurrency",
        "_route_async_failure",
        "_run_sqs_batch",
        "_sqs_esm_concurrency",
        "_throttle_response",
        "_update_esm",
        "acquire_worker",
        "invoke_async_with_retry",
    ),
    "ministack.services.s3": (
        "_bucket_object_lock",
        "_bucket_versioning",
        "_buckets",
        "_complete_multipart_upload",
        "_copy_object",
        "_delete_bucket",
        "_fire_s3_event",
        "_get_object",
        "_object_disk_path",
        "_parse_range",
        "_persist_delete_marker",
        "_persist_displaced_version",
        "_range_error_xml",
        "_read_body",
        "_upload_part_copy",
        "_version_body",
        "_version_disk_path",
        "_version_entry_from_record",
        "_version_file_exists",
        "_xml_body",
    ),
    "ministack.services.scheduler": (
        "_SCHEDULE_TICK_INTERVAL",
        "_create_schedule",
        "_error",
        "_schedule_arn",
        "_schedules",
        "_tick_schedules",
        "_to_epoch",
        "_update_schedule",
    ),
    "ministack.services.sns": (
        "SnsPublishError",
        "_build_envelope",
        "_confirm_subscription",
        "_error",
        "_fanout",
        "_matches_filter_policy",
        "_refresh_subscription_counts",
        "_resolve_message_for_protocol",
        "_topic_by_arn_any_scope",
        "_topics",
        "_unsubscribe",
        "handle_request",
        "publish_internal",
    ),
    "ministack.services.sqs": (
        "_Err",
        "_HANDLERS",
        "_act_send_message",
        "_delete_messages_for_esm",
        "_externalize_url",
        "_get_q",
        "_queue_by_arn",
        "_queues",
        "_queues_lock",
        "_receive_messages_for_esm",
        "queue_policy_allows",
    ),
    "ministack.services.stepfunctions": (
        "_ExecutionError",
        "_SERVICE_DISPATCH",
        "_SFN_WAIT_SCALE",
        "_add_event",
        "_api_name_to_sfn_key",
        "_apply_catcher",
        "_apply_input_path",
        "_apply_jsonata_arguments",
        "_apply_jsonata_output",
        "_apply_jsonata_template",
        "_apply_output_path",
        "_apply_parameters",
        "_apply_result_path",
        "_apply_result_selector",
        "_apply_state_assign",
        "_emit_execution_status_event",
        "_error_matches",
        "_execute_choice",
        "_execute_map",
        "_execute_parallel",
        "_execute_pass",
        "_execute_wait",
        "_executions",
        "_fail_state_error",
        "_invoke_aws_sdk_integration",
        "_invoke_resource",
        "_jsonata_state_field",
        "_map_runs",
        "_read_map_items",
        "_resolve_path_or_ctx",
        "_run_distributed_map",
        "_run_execution",
        "_run_parallel_branches",
        "_run_sub_machine",
        "_scaled_sleep",
        "_start_execution",
        "_state_machines",
        "_task_tokens",
        "_update_state_machine",
        "_validate_definition_jsonata",
        "_with_retry_and_catch",
        "handle_request",
        "load_persisted_state",
    ),
    "ministack.services.sts": ("_sessions", "register_session"),
}


JOIN_LINE = 'combined = b"".join(combined_parts)'
"""The line in which MiniStack joins the parts of an upload in memory; ``s3.large_uploads`` replaces it."""

WORKER_SCRIPT = ("ministack.core.lambda_runtime", "_PYTHON_WORKER_SCRIPT")
MISSING = object()
"""What ``find`` gives for a name that is not there."""


def check() -> None:
    """Look up every name.

    Raises:
        LocalAwsError: names are missing. The text lists them, with the version found and the version needed.
    """
    missing = [f"{module}.{name}" for module, names in NAMES.items() for name in names if _is_missing(module, name)]
    if not missing:
        script = str(find(*WORKER_SCRIPT))
        missing = [f"a line of the Lambda worker's script: {line}" for line in worker_script.missing_lines(script)]
        complete: Any = find("ministack.services.s3", "_complete_multipart_upload")
        if inspect.getsource(complete).count(JOIN_LINE) != 1:
            missing.append(f"a line of s3._complete_multipart_upload: {JOIN_LINE}")
    if missing:
        raise LocalAwsError(
            f"MiniStack {version('ministack')} lacks names that local_aws/ministack_patches uses (it was written for "
            f"{WRITTEN_FOR}): {', '.join(missing)}. Install ministack=={WRITTEN_FOR}, or adapt the patches."
        )


def find(module: str, name: str) -> object:
    """What a dotted name of a module stands for, or ``MISSING``."""
    try:
        found: object = import_module(module)
    except ImportError:
        return MISSING
    for part in name.split("."):
        found = getattr(found, part, MISSING)
    return found


def _is_missing(module: str, name: str) -> bool:
    return find(module, name) is MISSING
