{#
    Strategies of dbt's own `incremental`, where those that come with it leave
    something behind or write too much (docs/decisions/0024): a macro
    get_incremental_<strategy>_sql is what dbt looks for.

    landings: rows grow with the landings of a build. What an earlier build has
    left of those that it began or judged otherwise goes first, also where
    nothing comes in its place; without one, nothing is looked for.

    unique_key: the column that rows replace each other by, if they do.
    origin: the column that names the landing which a row came from; without it
    the rows of a group are made anew together.
#}
{% macro get_incremental_landings_sql(arguments) %}
    {%- set target = arguments.target_relation -%}
    {%- if pending().is_retried %}
        delete from {{ target }} where
        {%- if config.get('origin') %}
        {{ config.get('origin') }} in ({{ retried_landings() }});
        {%- else %}
        {{ is_in_pending_groups() }};
        {%- endif %}
    {%- endif %}
    {{ get_incremental_delete_insert_sql(arguments) }}
{% endmacro %}


{# replace: all rows are made anew, and written only if they are others. #}
{% macro get_incremental_replace_sql(arguments) %}
    {%- set before = arguments.target_relation -%}
    {%- set rows = arguments.temp_relation -%}
    {%- set columns = [] -%}
    {%- for relation in (before, rows) -%}
        {%- do columns.append(run_query(
            'select list(column_name || \' \' || column_type)::varchar '
            ~ 'from (describe ' ~ relation ~ ')'
        ).rows[0][0]) -%}
    {%- endfor -%}
    {%- if columns[0] == columns[1] and run_query(
        'select count(*) from ((from ' ~ before ~ ' except all from ' ~ rows
        ~ ') union all (from ' ~ rows ~ ' except all from ' ~ before ~ '))'
    ).rows[0][0] == 0 %}
        select 'unchanged'
    {%- else %}
        create or replace table {{ before }} as from {{ rows }}
    {%- endif %}
{% endmacro %}
