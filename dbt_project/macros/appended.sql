{#
    A table that grows with something else than landings, in one transaction.

    key: the column that rows replace each other by, all that have a value of
    it; without it they are added.
#}
{% materialization appended, adapter='duckdb' %}
    {%- set before = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set key, rows = config.get('key'), make_temp_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if before is none or should_full_refresh() %}
        {%- do make_anew(before, target_relation, sql) -%}
    {% else %}
        {%- if key -%}
            {%- call statement('stage') -%}
                {{ create_table_as(True, rows, sql) }}
            {%- endcall -%}
            {%- call statement('clear') -%}
                delete from {{ target_relation }}
                where {{ key }} in (select {{ key }} from {{ rows }})
            {%- endcall -%}
        {%- endif -%}
        {%- call statement('main') -%}
            insert into {{ target_relation }} by name
            {% if key -%} select * from {{ rows }} {%- else -%} {{ sql }} {%- endif -%}
        {%- endcall -%}
    {% endif %}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
