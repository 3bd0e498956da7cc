{#
    What new landings are compared with: gold as it was published last, or
    `kept` while the reference is not yet half as large as that, or none
    before the first publication. So its cost does not come with each landing.
#}
{% macro published_to_compare_with() %}
    {%- if not execute -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set publications = adapter.get_relation(
        this.database, 'published', 'publications'
    ) -%}
    {%- set gold = adapter.get_relation(
        this.database, this.schema, 'training_set'
    ) -%}
    {%- if publications is none or gold is none -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set newest = run_query(
        'select snapshot_id, observations from ' ~ publications
        ~ ' order by publication_id desc limit 1'
    ).rows -%}
    {%- if not newest or not newest[0][1] -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- if is_incremental() -%}
        {%- set known = run_query(
            'select coalesce(max(reference_rows), 0) from ' ~ this
        ).rows[0][0] -%}
        {%- if newest[0][1] < 2 * known -%}
            {{- return('kept') -}}
        {%- endif -%}
    {%- endif -%}
    {{- return({
        'rows': gold ~ ' at (version => ' ~ newest[0][0] ~ ')',
        'snapshot_id': newest[0][0] | int,
        'observations': newest[0][1] | int,
    }) -}}
{% endmacro %}


{# The names of the contract's enumerations that are text. #}
{% macro choice_names() %}
    {{- return(
        contract_columns() | selectattr('kind', 'equalto', 'string')
        | map(attribute='name') | list
    ) -}}
{% endmacro %}
