"""The SDK's own suite for taps: what every Singer tap can be relied on for."""

from __future__ import annotations

import atexit

from singer_sdk.testing import SuiteConfig, get_tap_test_class

from demo.control import FakeAPI
from tap_storage.tap import TapStorage

API = FakeAPI(records=1000, id_type="integer")
API.__enter__()
atexit.register(API.__exit__, None, None, None)

# 250 records cross pages, which the default of a single record never does.
TestTapStorage = get_tap_test_class(
    TapStorage,
    config={"base_url": API.url, "api_key": API.api_key},
    suite_config=SuiteConfig(max_records_limit=250),
)
