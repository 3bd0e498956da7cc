{#
    A table that each build makes anew, in one transaction, unless it would be
    the same: then nothing is written. dbt's own table does so in two, with a
    renamed copy between them: on DuckLake, where a commit is most of a small
    model's time, that takes twice as long.
#}
{% materialization replaced, adapter='duckdb' %}
    {%- set before = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set rows = make_temp_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- call statement('stage') -%}
        {{ create_table_as(True, rows, sql) }}
    {%- endcall -%}
    {%- if before is not none and is_same(before, rows) -%}
        {%- call statement('main') -%}
            select 'unchanged'
        {%- endcall -%}
    {%- else -%}
        {%- do make_anew(before, target_relation, 'from ' ~ rows) -%}
    {%- endif -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# Makes a table from nothing, in the place of the one that was there. #}
{% macro make_anew(before, target_relation, query) %}
    {%- if before is not none -%}
        {%- call statement('clear') -%}
            drop {{ before.type }} if exists {{ before }}
        {%- endcall -%}
    {%- endif -%}
    {%- call statement('main') -%}
        {{ create_table_as(False, target_relation, query) }}
    {%- endcall -%}
{% endmacro %}


{# Whether two tables have the same columns and the same rows. #}
{% macro is_same(before, rows) %}
    {%- set columns = [] -%}
    {%- for relation in (before, rows) -%}
        {%- set described = [] -%}
        {%- for column in adapter.get_columns_in_relation(relation) -%}
            {%- do described.append(column.name ~ ' ' ~ column.dtype) -%}
        {%- endfor -%}
        {%- do columns.append(described | join(',')) -%}
    {%- endfor -%}
    {%- if columns[0] != columns[1] -%}
        {{- return(false) -}}
    {%- endif -%}
    {{- return(
        run_query(
            'select count(*) from ((from ' ~ before ~ ' except all from ' ~ rows
            ~ ') union all (from ' ~ rows ~ ' except all from ' ~ before ~ '))'
        ).rows[0][0] == 0
    ) -}}
{% endmacro %}
