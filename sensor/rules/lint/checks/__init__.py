"""The checks: to add one, write its file and add its word here. In the order of their codes."""

from __future__ import annotations

import importlib
from typing import cast

from sensor.rules.lint.check import Check

_NAMES = (
    "threshold_with_bits",  # C000
    "target_missing",  # C100
    "created_at_missing",  # C101
    "updated_at_missing",  # C102
    "classtype_missing",  # C103
    "no_fast_pattern",  # H100
    "short_pattern",  # H101
    "common_pattern",  # H102
    "unanchored_pcre",  # H103
    "flow_missing",  # H104
    "flow_direction_missing",  # H105
    "nested_quantifiers",  # H106
    "leading_dot_star",  # H107
    "any_ports",  # H108
    "flowbit_never_set",  # H200
    "flowbit_never_read",  # H201
    "xbit_never_set",  # H202
    "xbit_never_read",  # H203
    "foreign_buffer",  # H204
    "dsize_too_small",  # H205
    "both_ways_with_direction",  # H206
    "ports_of_icmp",  # H207
    "useless_nocase",  # H208
    "case_after_transform",  # H209
    "older_keyword",  # H210
    "threshold_in_rule",  # H211
    "bit_contradiction",  # H212
    "noalert_without_effect",  # H213
    "same_detection",  # H214
    "raw_http",  # H215
    "rev_missing",  # H216
    "relative_to_nothing",  # H219
    "wrong_side_port",  # H220
    "reference_missing",  # H300
    "metadata_missing",  # H301
    "hyperscan_says",  # H400
    "msg_missing",  # M000
    "any_to_any",  # S000
    "dns_destination",  # S001
    "pkt_data",  # S010
    "priority",  # S011
    "own_variable",  # S013
    "no_content",  # S020
    "fast_pattern_not_chosen",  # S021
    "blank_after_parenthesis",  # S100
    "blank_before_parenthesis",  # S101
    "blank_before_colon",  # S102
    "blank_after_colon",  # S103
    "blank_before_semicolon",  # S104
    "blanks_between_options",  # S105
    "blanks_in_hex",  # S106
    "no_blank_between_options",  # S110
    "dense_hex",  # S111
    "backslash_in_content",  # S122
    "msg_first",  # S200
    "classtype_before_reference",  # S202
    "sid_before_classtype",  # S204
    "rev_before_sid",  # S207
    "metadata_last",  # S208
    "depth_twice",  # S211
    "offset_twice",  # S212
    "flow_behind_msg",  # S220
    "sid_of_others",  # S300
    "sid_low",  # S301
    "msg_form",  # S400
    "msg_vague",  # S402
    "msg_date",  # S403
    "msg_cnc",  # S404
    "msg_domain",  # S406
    "msg_domain_brackets",  # S407
    "msg_ascii",  # S409
    "flow_order",  # S500
    "flow_from",  # S501
    "flowbit_name",  # S510
    "flowbit_alert",  # S511
    "xbit_name",  # S520
    "xbit_alert",  # S521
    "xbit_expire",  # S522
    "pcre_without_content",  # S600
    "pcre_unlimited",  # S601
    "reference_case",  # S700
    "reference_protocol",  # S701
    "attack_target_missing",  # S800
    "signature_severity_missing",  # S801
    "performance_impact_missing",  # S802
    "deployment_missing",  # S803
    "base64",  # S901
    "bsize_of_uri",  # S902
)

CHECKS: tuple[Check, ...] = tuple(
    cast(Check, importlib.import_module(f"{__name__}.{name}").CHECK) for name in _NAMES
)
