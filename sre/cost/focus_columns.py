"""The columns of our FOCUS 1.2 export, in their order, with the types of the specification.

Specification: FinOps Open Cost and Usage Specification 1.2 (focus.finops.org). Here are its mandatory columns, and the
conditional ones under `CRITERIA`. Left out: commitment discounts (but for their status), capacity reservations,
sub-accounts, availability zones. CommitmentDiscountStatus, ChargeClass and InvoiceId are always null: nothing is
corrected, and there is no invoice that an id could name. Prices are in the currency of the bill. Columns of our own
begin with `x_` and come last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "decimal", "time", "pairs"]
"""`pairs` is a JSON object in text."""


CRITERIA = (
    "ACCOUNT_NAMING_SUPPORTED",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
    "NEGOTIATED_PRICING_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED",
    "REGION_SUPPORTED",
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
    "TAGGING_SUPPORTED",
    "UNIT_PRICING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
)
"""What we claim to be able to say, in the specification's words: more columns are mandatory for it."""


@dataclass(frozen=True, slots=True)
class FocusColumn:
    """`nullable` as the specification has it for rows of usage."""

    name: str
    kind: Kind = "text"
    nullable: bool = False


COLUMNS: tuple[FocusColumn, ...] = (
    FocusColumn("BilledCost", "decimal"),
    FocusColumn("BillingAccountId"),
    FocusColumn("BillingAccountName"),
    FocusColumn("BillingCurrency"),
    FocusColumn("BillingPeriodEnd", "time"),
    FocusColumn("BillingPeriodStart", "time"),
    FocusColumn("ChargeCategory"),
    FocusColumn("ChargeClass", nullable=True),
    FocusColumn("ChargeDescription"),
    FocusColumn("ChargeFrequency"),
    FocusColumn("ChargePeriodEnd", "time"),
    FocusColumn("ChargePeriodStart", "time"),
    FocusColumn("CommitmentDiscountStatus", nullable=True),
    FocusColumn("ConsumedQuantity", "decimal"),
    FocusColumn("ConsumedUnit"),
    FocusColumn("ContractedCost", "decimal"),
    FocusColumn("ContractedUnitPrice", "decimal"),
    FocusColumn("EffectiveCost", "decimal"),
    FocusColumn("InvoiceId", nullable=True),
    FocusColumn("InvoiceIssuerName"),
    FocusColumn("ListCost", "decimal"),
    FocusColumn("ListUnitPrice", "decimal"),
    FocusColumn("PricingCategory"),
    FocusColumn("PricingCurrency"),
    FocusColumn("PricingCurrencyContractedUnitPrice", "decimal"),
    FocusColumn("PricingCurrencyEffectiveCost", "decimal"),
    FocusColumn("PricingCurrencyListUnitPrice", "decimal"),
    FocusColumn("PricingQuantity", "decimal"),
    FocusColumn("PricingUnit"),
    FocusColumn("ProviderName"),
    FocusColumn("PublisherName"),
    FocusColumn("RegionId", nullable=True),
    FocusColumn("RegionName", nullable=True),
    FocusColumn("ResourceId"),
    FocusColumn("ResourceName"),
    FocusColumn("ResourceType"),
    FocusColumn("ServiceCategory"),
    FocusColumn("ServiceName"),
    FocusColumn("ServiceSubcategory"),
    FocusColumn("SkuId"),
    FocusColumn("SkuMeter"),
    FocusColumn("SkuPriceDetails", "pairs", nullable=True),
    FocusColumn("SkuPriceId"),
    FocusColumn("Tags", "pairs"),
    FocusColumn("x_Experiment", nullable=True),
    FocusColumn("x_IdleCost", "decimal", nullable=True),
    FocusColumn("x_IncidentId", nullable=True),
    FocusColumn("x_PriceSource"),
    FocusColumn("x_PurchaseOption", nullable=True),
    FocusColumn("x_ReportId"),
    FocusColumn("x_SharedCost", "decimal", nullable=True),
    FocusColumn("x_UsageEnd", "time"),
    FocusColumn("x_UsageStart", "time"),
    FocusColumn("x_UsedCost", "decimal", nullable=True),
    FocusColumn("x_WastedCost", "decimal", nullable=True),
)
