"""How each country's law or grid operator shares energy, as data; each preset has its sources and limits.

This is not legal advice, and it contains no prices. presets.py finds presets and fills them in.
"""

from typing import Final

from hub.core.rules.preset_form import Parameter, Preset

WEIGHTS: Final = Parameter("params.weights", "each member's share of the pool as a whole number, 0 allowed")
ROUNDS: Final = Parameter("params.rounds", "how many rounds at most, from 1")
TIERS: Final = Parameter("params.tiers", "lists of members, the first served first; everyone in exactly one list")
PAIRS: Final = Parameter(
    "params.coefficients", "for each producer the share of each consumer in millionths, together at most 1000000"
)
BETAS: Final = Parameter(
    "params.weights", "each member's beta in millionths (0,250000 is 250000); together exactly 1000000 for the file"
)
PARTICIPATION: Final = Parameter(
    "participation", "Teilnahmefaktor: a whole percent from 1 to 100 for each member who is also in other communities"
)

STEP_COEFFICIENTS: Final = (
    "coefficients that change with each step: a rule has one set, so settle periods with the same set, or use the "
    "grid operator's file instead"
)

AUSTRIA: Final = (
    Preset(
        "at-static",
        "AT",
        "Austria: static (Anteil fest)",
        "static",
        sources=(
            "energiegemeinschaften.gv.at: Energiezuteilung; Messung und Aufteilung",
            "netz-noe.at: Mehrfachteilnahme (2024-04-08)",
        ),
        must_fill=(WEIGHTS,),
        may_fill=(PARTICIPATION,),
        not_covered=(
            "the grid operator computes the binding values and delivers them by EDA; these are for comparison",
            "how the grid operator rounds a participation factor is not published; here it is rounded down",
            "sharing across grid operators (BEG): the operator settles once all sums have arrived, or after 10 days",
            "registering a changed factor with the operator (EC_PRTFACT_CHANGE)",
        ),
    ),
    Preset(
        "at-dynamic",
        "AT",
        "Austria: dynamic (nach Verbrauch)",
        "proportional",
        sources=(
            "energiegemeinschaften.gv.at: Energiezuteilung; Messung und Aufteilung",
            "netz-noe.at: Mehrfachteilnahme (2024-04-08)",
        ),
        may_fill=(PARTICIPATION,),
        not_covered=(
            "the grid operator computes the binding values and delivers them by EDA",
            "how the grid operator rounds a participation factor is not published; here it is rounded down",
            "sharing across grid operators (BEG): the operator settles once all sums have arrived, or after 10 days",
        ),
    ),
)

FRANCE_COMMON: Final = (
    "Enedis computes the binding values from the coefficients it is sent; its file layout is not reproduced",
    "older points that are read every 30 minutes",
)
FRANCE: Final = (
    Preset(
        "fr-static",
        "FR",
        "France: statique",
        "static",
        sources=("enogrid.com: les clés de répartition en autoconsommation collective",),
        must_fill=(WEIGHTS,),
        not_covered=FRANCE_COMMON,
    ),
    Preset(
        "fr-dynamic-default",
        "FR",
        "France: dynamique par défaut",
        "proportional",
        sources=(
            "decree 2017-676: by consumption where the organiser names no key",
            "enogrid.com: les clés de répartition en autoconsommation collective",
        ),
        not_covered=FRANCE_COMMON,
    ),
    Preset(
        "fr-dynamic-simple",
        "FR",
        "France: dynamique simple (production pooled, the organiser's percentages)",
        "static",
        sources=("enogrid.com: la clé dynamique simple", "part-energie.fr: clés de répartition"),
        must_fill=(WEIGHTS,),
        not_covered=(*FRANCE_COMMON, STEP_COEFFICIENTS),
    ),
    Preset(
        "fr-full-dynamic",
        "FR",
        "France: full dynamique (a coefficient for each producer and consumer)",
        "pairwise",
        sources=("enogrid.com: les clés de répartition", "hubwatt.fr: clés de répartition"),
        must_fill=(PAIRS,),
        not_covered=(*FRANCE_COMMON, STEP_COEFFICIENTS),
    ),
)

SPAIN: Final = (
    Preset(
        "es-beta",
        "ES",
        "Spain: fixed beta coefficients",
        "static",
        aggregate=4,
        netting="60min",
        sources=(
            "support.somenergia.coop, articles 850 and 856: the distributors net each member hour by hour",
            "Real Decreto 244/2019, annex I, and the order of November 2021 (smartgridsinfo.es, 2021-07-13)",
            "i-DE's coefficient file as lucoenergia/conluz checks it (six decimals, sum exactly 1.000000)",
        ),
        must_fill=(BETAS,),
        not_covered=(
            "betas set in advance for each hour of the year",
            "an unused part of a share: in law the member's own surplus, here an export of the producing point",
            "sharing measured after the fact, and the changes of the draft decree of October 2025",
        ),
    ),
)

ITALY: Final = (
    Preset(
        "it-cer-hourly",
        "IT",
        "Italy: energy shared in a CER, hour by hour, divided by consumption",
        "proportional",
        aggregate=4,
        sources=("cerdinamo.it: FAQ (hourly minimum of injected and withdrawn in one market zone)",),
        not_covered=(
            "the incentive GSE pays and its formula: only the shared energy is computed",
            "attribution to plants, earliest commissioned first",
            "how the statutes divide the incentive: any other method can be used with aggregate 4",
            "several market zones or primary substations: settle each as a separate community",
        ),
    ),
)

PORTUGAL_COMMON: Final = ("E-REDES computes the binding values; its file layouts are not reproduced",)
PORTUGAL_NETTING: Final = "e-redes.pt, Já sou autoconsumidor: each member is netted by the quarter hour (Saldo)"
PORTUGAL: Final = (
    Preset(
        "pt-fixed",
        "PT",
        "Portugal: fixed coefficients (RAC, article 29)",
        "static",
        netting="15min",
        sources=("e-redes.pt: Autoconsumo Coletivo, Partilha Fixa", "Regulamento 815/2023 (ERSE)", PORTUGAL_NETTING),
        must_fill=(WEIGHTS,),
        not_covered=(*PORTUGAL_COMMON, "the variable and proportional sub-modes named in the RAC"),
    ),
    Preset(
        "pt-hierarchical",
        "PT",
        "Portugal: hierarchical sharing, one group after the other (pilot, RAC article 46)",
        "priority",
        netting="15min",
        sources=(
            "e-redes.pt: self-consumption energy sharing models (pilot)",
            "Regulamento 815/2023 (ERSE)",
            PORTUGAL_NETTING,
        ),
        must_fill=(TIERS,),
        not_covered=(*PORTUGAL_COMMON, "more than two levels, and any mode inside a group but by consumption"),
    ),
    Preset(
        "pt-dynamic",
        "PT",
        "Portugal: dynamic sharing by coefficients for pairs of installations (pilot, RAC article 46)",
        "pairwise",
        netting="15min",
        sources=(
            "e-redes.pt: self-consumption energy sharing models (pilot)",
            "Regulamento 815/2023 (ERSE)",
            PORTUGAL_NETTING,
        ),
        must_fill=(PAIRS,),
        not_covered=(*PORTUGAL_COMMON, STEP_COEFFICIENTS),
    ),
)

BRUSSELS_COMMON: Final = (
    "grid tariffs by sharing type A to D",
    "Sibelga computes the binding values; how it rounds is not published",
)
BELGIUM: Final = (
    Preset(
        "be-bru-fixed-one-round",
        "BE",
        "Brussels: fixed, one round",
        "static",
        sources=("sibelga.be: méthodes de répartition",),
        must_fill=(WEIGHTS,),
        not_covered=BRUSSELS_COMMON,
    ),
    Preset(
        "be-bru-fixed-rounds",
        "BE",
        "Brussels: fixed, several rounds",
        "static_rounds",
        sources=("sibelga.be: méthodes de répartition",),
        must_fill=(WEIGHTS, ROUNDS),
        not_covered=BRUSSELS_COMMON,
    ),
    Preset(
        "be-bru-proportional",
        "BE",
        "Brussels: proportional to consumption",
        "proportional",
        sources=("sibelga.be: méthodes de répartition",),
        not_covered=BRUSSELS_COMMON,
    ),
    Preset(
        "be-bru-hybrid",
        "BE",
        "Brussels: hybrid, a fixed round and then by consumption",
        "static_then_proportional",
        sources=("sibelga.be: méthodes de répartition",),
        must_fill=(WEIGHTS,),
        not_covered=(*BRUSSELS_COMMON, "the operator's note on the hybrid method was not read in full: check it"),
    ),
    Preset(
        "be-wal-fixed-equal",
        "BE",
        "Wallonia: fixed, equal parts",
        "static",
        equal_weights=True,
        sources=("macer.clustertweed.be: clés de répartition",),
        not_covered=("grid tariffs of shared energy",),
    ),
    Preset(
        "be-wal-fixed",
        "BE",
        "Wallonia: fixed, parts by agreement",
        "static",
        sources=("macer.clustertweed.be: clés de répartition",),
        must_fill=(WEIGHTS,),
        not_covered=("grid tariffs of shared energy",),
    ),
    Preset(
        "be-wal-dynamic",
        "BE",
        "Wallonia: by consumption",
        "proportional",
        sources=("macer.clustertweed.be: clés de répartition",),
        not_covered=("grid tariffs of shared energy",),
    ),
)

LUXEMBOURG_COMMON: Final = (
    "the model of the production points when surplus exceeds demand: here sales always follow what was injected",
    "keys that a community agrees on, unless they are one of the methods",
)
LUXEMBOURG: Final = (
    Preset(
        "lu-prorata",
        "LU",
        "Luxembourg: by consumption (the default)",
        "proportional",
        sources=("creos-net.lu: clé de répartition", "weshareenergy.lu: clés de répartition"),
        not_covered=LUXEMBOURG_COMMON,
    ),
    Preset(
        "lu-priority",
        "LU",
        "Luxembourg: by order of priority",
        "priority",
        sources=("creos-net.lu: clé de répartition", "weshareenergy.lu: clés de répartition"),
        must_fill=(TIERS,),
        not_covered=LUXEMBOURG_COMMON,
    ),
    Preset(
        "lu-percentage",
        "LU",
        "Luxembourg: fixed percentages",
        "static",
        sources=("creos-net.lu: clé de répartition", "weshareenergy.lu: clés de répartition"),
        must_fill=(WEIGHTS,),
        not_covered=LUXEMBOURG_COMMON,
    ),
)

GERMANY_BUILDING: Final = (
    "the supply contract, the meter concept and the remaining supply of each flat",
    "the wording of section 42b(5) was not read in full: check that an unused share may stay with the building",
)
GERMANY: Final = (
    Preset(
        "de-42b-equal",
        "DE",
        "Germany: building supply (section 42b EnWG), equal parts",
        "static",
        equal_weights=True,
        sources=("datenbank.nwb.de: section 42b EnWG",),
        not_covered=GERMANY_BUILDING,
    ),
    Preset(
        "de-42b-static",
        "DE",
        "Germany: building supply (section 42b EnWG), fixed parts by contract",
        "static",
        sources=("datenbank.nwb.de: section 42b EnWG",),
        must_fill=(WEIGHTS,),
        not_covered=GERMANY_BUILDING,
    ),
    Preset(
        "de-42b-dynamic",
        "DE",
        "Germany: building supply (section 42b EnWG), by consumption",
        "proportional",
        sources=("datenbank.nwb.de: section 42b EnWG",),
        not_covered=GERMANY_BUILDING,
    ),
    Preset(
        "de-42c-dynamic",
        "DE",
        "Germany: energy sharing (section 42c EnWG), by consumption",
        "proportional",
        sources=("gesetze-im-internet.de: section 42c EnWG", "recht-energisch.de (2026-01-16)", "solarserver.de"),
        not_covered=(
            "messages to the grid operator: no standard for them exists yet",
            "members in a neighbouring balancing area (from 2028)",
            "any other key that the sharing contract names: use another method",
        ),
    ),
)

SWITZERLAND: Final = (
    Preset(
        "ch-leg",
        "CH",
        "Switzerland: local electricity community (LEG), by consumption",
        "proportional",
        sources=("ebl.ch: Eigenverbrauch und LEG", "zero-oberwallis.ch: LEG", "ewobergoms.ch: LEG"),
        not_covered=(
            "the discount of 40 or 20 % on the grid tariff, which the grid operator bills",
            "the conditions of StromVV 19e to 19h (municipality, grid level, 5 % of connected power)",
            "ZEV and vZEV, which are free to choose their key: use any method",
        ),
    ),
)

PRESETS: Final[tuple[Preset, ...]] = (
    *AUSTRIA,
    *BELGIUM,
    *FRANCE,
    *GERMANY,
    *ITALY,
    *LUXEMBOURG,
    *PORTUGAL,
    *SPAIN,
    *SWITZERLAND,
)
