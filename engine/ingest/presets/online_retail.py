"""UCI Online Retail: a year of a British gift shop's invoices."""

from __future__ import annotations

from engine.dataset import DatasetSettings
from engine.ingest.mapping import Condition, Mapping, TableMapping
from engine.ingest.presets.preset import Form, Preset

_SETTINGS = DatasetSettings(
    name="Online Retail",
    time_zone="Europe/London",
    country="GB",
    currency="GBP",
    terms="CC BY 4.0",
    attribution=(
        "Daqing Chen, Online Retail, UCI Machine Learning Repository, doi.org/10.24432/C5BW33"
    ),
)
_NO_PRODUCT = "^(?i:POST|DOT|M|C2|D|S|B|PADS|CRUK|BANK CHARGES|AMAZONFEE|gift_.*)$"
_INVOICES = TableMapping(
    files="*online*retail*.{csv,parquet}",
    columns={
        "user_id": "CustomerID",
        "item_id": "StockCode",
        "timestamp": "InvoiceDate",
        "value": "Quantity",
        "session_id": "InvoiceNo",
        "place": "Country",
        "title": "Description",
        "price": "UnitPrice",
    },
    constants={"kind": "purchase"},
    timestamp_format="%Y-%m-%d %H:%M:%S",
    clean={"user_id": "whole_number", "item_id": "upper"},
    where=(
        Condition(column="InvoiceNo", starts_with="C", reason="cancelled invoice"),
        Condition(column="CustomerID", missing=True, reason="missing customer"),
        Condition(column="StockCode", matches=_NO_PRODUCT, reason="not a product"),
        Condition(column="UnitPrice", at_most=0, reason="price at or below zero"),
        Condition(column="Quantity", at_most=0, reason="quantity at or below zero"),
    ),
)
_MAPPING = Mapping(
    settings=_SETTINGS, events=_INVOICES, items_from_events=True, readable_titles=True
)
_AMERICAN_DATES = _INVOICES.model_copy(
    update={"files": "data.csv", "encoding": "cp1252", "timestamp_format": "%m/%d/%Y %H:%M"}
)

ONLINE_RETAIL = Preset(
    name="online-retail",
    origin=(
        "archive.ics.uci.edu/dataset/352/online+retail, or kaggle.com/datasets/carrie1/"
        "ecommerce-data"
    ),
    forms=(
        Form("the sheet, saved as CSV or Parquet", _MAPPING),
        Form("data.csv from Kaggle", _MAPPING.model_copy(update={"events": _AMERICAN_DATES})),
    ),
    hints={"*.xlsx": "save the sheet as 'online_retail.csv' with dates like 2010-12-01 08:26:00"},
)
