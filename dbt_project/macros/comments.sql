{#
    Comments that are in the lake already are not written again: each one
    would be a change, and a build without a change needs no commit.
#}
{% macro duckdb__alter_relation_comment(relation, comment) %}
    {%- set query -%}
        select comment from duckdb_tables()
        where
            database_name = '{{ relation.database }}'
            and schema_name = '{{ relation.schema }}'
            and table_name = '{{ relation.identifier }}'
    {%- endset -%}
    {%- set known = run_query(query).columns[0].values() -%}
    {%- if comment not in known -%}
        comment on table {{ relation }}
        is {{ duckdb_escape_comment(comment) }};
    {%- else -%}
        select 1
    {%- endif -%}
{% endmacro %}


{% macro duckdb__alter_column_comment(relation, column_dict) %}
    {%- set query -%}
        select column_name, comment from duckdb_columns()
        where
            database_name = '{{ relation.database }}'
            and schema_name = '{{ relation.schema }}'
            and table_name = '{{ relation.identifier }}'
    {%- endset -%}
    {%- set known = {} -%}
    {%- for row in run_query(query).rows -%}
        {%- do known.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {%- for name, column in column_dict.items() if name in known -%}
        {%- if known[name] != column.description -%}
            comment on column {{ relation }}.{{ name }}
            is {{ duckdb_escape_comment(column.description) }};
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
