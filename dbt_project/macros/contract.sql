{# Rendered from contracts/covertype.yaml by `python -m contracts.dbt_macro`: edit that file. #}

{% macro contract_version() %}
    {{ return("1.0.0") }}
{% endmacro %}


{% macro contract_columns() %}
    {{ return([
        {"source_name": "Elevation", "name": "elevation_m", "kind": "integer", "unit": "m", "minimum": 1010, "maximum": 4401, "values": [], "is_label": false},
        {"source_name": "Aspect", "name": "aspect_deg", "kind": "integer", "unit": "deg", "minimum": 0, "maximum": 360, "values": [], "is_label": false},
        {"source_name": "Slope", "name": "slope_deg", "kind": "integer", "unit": "deg", "minimum": 0, "maximum": 90, "values": [], "is_label": false},
        {"source_name": "Horizontal_Distance_To_Hydrology", "name": "horizontal_distance_to_hydrology_m", "kind": "integer", "unit": "m", "minimum": 0, "maximum": 100000, "values": [], "is_label": false},
        {"source_name": "Vertical_Distance_To_Hydrology", "name": "vertical_distance_to_hydrology_m", "kind": "integer", "unit": "m", "minimum": -3391, "maximum": 3391, "values": [], "is_label": false},
        {"source_name": "Horizontal_Distance_To_Roadways", "name": "horizontal_distance_to_roadways_m", "kind": "integer", "unit": "m", "minimum": 0, "maximum": 100000, "values": [], "is_label": false},
        {"source_name": "Hillshade_9am", "name": "hillshade_9am", "kind": "integer", "unit": "index", "minimum": 0, "maximum": 255, "values": [], "is_label": false},
        {"source_name": "Hillshade_Noon", "name": "hillshade_noon", "kind": "integer", "unit": "index", "minimum": 0, "maximum": 255, "values": [], "is_label": false},
        {"source_name": "Hillshade_3pm", "name": "hillshade_3pm", "kind": "integer", "unit": "index", "minimum": 0, "maximum": 255, "values": [], "is_label": false},
        {"source_name": "Horizontal_Distance_To_Fire_Points", "name": "horizontal_distance_to_fire_points_m", "kind": "integer", "unit": "m", "minimum": 0, "maximum": 100000, "values": [], "is_label": false},
        {"source_name": "Wilderness_Area", "name": "wilderness_area", "kind": "string", "unit": none, "minimum": none, "maximum": none, "values": ["Rawah", "Neota", "Commanche", "Cache"], "is_label": false},
        {"source_name": "Soil_Type", "name": "soil_type", "kind": "string", "unit": none, "minimum": none, "maximum": none, "values": ["C2702", "C2703", "C2704", "C2705", "C2706", "C2717", "C3501", "C3502", "C4201", "C4703", "C4704", "C4744", "C4758", "C5101", "C5151", "C6101", "C6102", "C6731", "C7101", "C7102", "C7103", "C7201", "C7202", "C7700", "C7701", "C7702", "C7709", "C7710", "C7745", "C7746", "C7755", "C7756", "C7757", "C7790", "C8703", "C8707", "C8708", "C8771", "C8772", "C8776"], "is_label": false},
        {"source_name": "Cover_Type", "name": "cover_type", "kind": "integer", "unit": none, "minimum": 0, "maximum": 6, "values": ["0", "1", "2", "3", "4", "5", "6"], "is_label": true},
    ]) }}
{% endmacro %}


{% macro contract_choices(name) %}
    {{ return({
        "wilderness_area": [
            {"value": "Rawah", "label": "Rawah Wilderness Area", "properties": {}},
            {"value": "Neota", "label": "Neota Wilderness Area", "properties": {}},
            {"value": "Commanche", "label": "Comanche Peak Wilderness Area", "properties": {}},
            {"value": "Cache", "label": "Cache la Poudre Wilderness Area", "properties": {}},
        ],
        "soil_type": [
            {"value": "C2702", "label": "Cathedral family - Rock outcrop complex, extremely stony", "properties": {"climatic_zone": "lower montane", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C2703", "label": "Vanet - Ratake families complex, very stony", "properties": {"climatic_zone": "lower montane", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C2704", "label": "Haploborolis - Rock outcrop complex, rubbly", "properties": {"climatic_zone": "lower montane", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C2705", "label": "Ratake family - Rock outcrop complex, rubbly", "properties": {"climatic_zone": "lower montane", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C2706", "label": "Vanet family - Rock outcrop complex, rubbly", "properties": {"climatic_zone": "lower montane", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C2717", "label": "Vanet - Wetmore families - Rock outcrop complex, stony", "properties": {"climatic_zone": "lower montane", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C3501", "label": "Gothic family", "properties": {"climatic_zone": "montane dry", "geologic_zone": "mixed sedimentary"}},
            {"value": "C3502", "label": "Supervisor - Limber families complex", "properties": {"climatic_zone": "montane dry", "geologic_zone": "mixed sedimentary"}},
            {"value": "C4201", "label": "Troutville family, very stony", "properties": {"climatic_zone": "montane", "geologic_zone": "glacial"}},
            {"value": "C4703", "label": "Bullwark - Catamount families - Rock outcrop complex, rubbly", "properties": {"climatic_zone": "montane", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C4704", "label": "Bullwark - Catamount families - Rock land complex, rubbly", "properties": {"climatic_zone": "montane", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C4744", "label": "Legault family - Rock land complex, stony", "properties": {"climatic_zone": "montane", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C4758", "label": "Catamount family - Rock land - Bullwark family complex, rubbly", "properties": {"climatic_zone": "montane", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C5101", "label": "Pachic Argiborolis - Aquolis complex", "properties": {"climatic_zone": "montane dry and montane", "geologic_zone": "alluvium"}},
            {"value": "C5151", "label": "Unspecified in the USFS Soil and ELU Survey", "properties": {"climatic_zone": "montane dry and montane", "geologic_zone": "alluvium"}},
            {"value": "C6101", "label": "Cryaquolis - Cryoborolis complex", "properties": {"climatic_zone": "montane and subalpine", "geologic_zone": "alluvium"}},
            {"value": "C6102", "label": "Gateview family - Cryaquolis complex", "properties": {"climatic_zone": "montane and subalpine", "geologic_zone": "alluvium"}},
            {"value": "C6731", "label": "Rogert family, very stony", "properties": {"climatic_zone": "montane and subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C7101", "label": "Typic Cryaquolis - Borohemists complex", "properties": {"climatic_zone": "subalpine", "geologic_zone": "alluvium"}},
            {"value": "C7102", "label": "Typic Cryaquepts - Typic Cryaquolls complex", "properties": {"climatic_zone": "subalpine", "geologic_zone": "alluvium"}},
            {"value": "C7103", "label": "Typic Cryaquolls - Leighcan family, till substratum complex", "properties": {"climatic_zone": "subalpine", "geologic_zone": "alluvium"}},
            {"value": "C7201", "label": "Leighcan family, till substratum, extremely bouldery", "properties": {"climatic_zone": "subalpine", "geologic_zone": "glacial"}},
            {"value": "C7202", "label": "Leighcan family, till substratum - Typic Cryaquolls complex", "properties": {"climatic_zone": "subalpine", "geologic_zone": "glacial"}},
            {"value": "C7700", "label": "Leighcan family, extremely stony", "properties": {"climatic_zone": "subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C7701", "label": "Leighcan family, warm, extremely stony", "properties": {"climatic_zone": "subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C7702", "label": "Granile - Catamount families complex, very stony", "properties": {"climatic_zone": "subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C7709", "label": "Leighcan family, warm - Rock outcrop complex, extremely stony", "properties": {"climatic_zone": "subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C7710", "label": "Leighcan family - Rock outcrop complex, extremely stony", "properties": {"climatic_zone": "subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C7745", "label": "Como - Legault families complex, extremely stony", "properties": {"climatic_zone": "subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C7746", "label": "Como family - Rock land - Legault family complex, extremely stony", "properties": {"climatic_zone": "subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C7755", "label": "Leighcan - Catamount families complex, extremely stony", "properties": {"climatic_zone": "subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C7756", "label": "Catamount family - Rock outcrop - Leighcan family complex, extremely stony", "properties": {"climatic_zone": "subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C7757", "label": "Leighcan - Catamount families - Rock outcrop complex, extremely stony", "properties": {"climatic_zone": "subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C7790", "label": "Cryorthents - Rock land complex, extremely stony", "properties": {"climatic_zone": "subalpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C8703", "label": "Cryumbrepts - Rock outcrop - Cryaquepts complex", "properties": {"climatic_zone": "alpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C8707", "label": "Bross family - Rock land - Cryumbrepts complex, extremely stony", "properties": {"climatic_zone": "alpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C8708", "label": "Rock outcrop - Cryumbrepts - Cryorthents complex, extremely stony", "properties": {"climatic_zone": "alpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C8771", "label": "Leighcan - Moran families - Cryaquolls complex, extremely stony", "properties": {"climatic_zone": "alpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C8772", "label": "Moran family - Cryorthents - Leighcan family complex, extremely stony", "properties": {"climatic_zone": "alpine", "geologic_zone": "igneous and metamorphic"}},
            {"value": "C8776", "label": "Moran family - Cryorthents - Rock land complex, extremely stony", "properties": {"climatic_zone": "alpine", "geologic_zone": "igneous and metamorphic"}},
        ],
        "cover_type": [
            {"value": "0", "label": "Spruce/Fir", "properties": {}},
            {"value": "1", "label": "Lodgepole Pine", "properties": {}},
            {"value": "2", "label": "Ponderosa Pine", "properties": {}},
            {"value": "3", "label": "Cottonwood/Willow", "properties": {}},
            {"value": "4", "label": "Aspen", "properties": {}},
            {"value": "5", "label": "Douglas-fir", "properties": {}},
            {"value": "6", "label": "Krummholz", "properties": {}},
        ],
    }[name]) }}
{% endmacro %}
