{#
    A table that grows with the landings, in one transaction. What a build that
    died has left in it is taken out first; without one, nothing is looked for.

    key: the column that rows replace each other by; without it they are added.
    origin: the column that names the landing which a row came from; without it
    the rows of a group are made anew together.
    is_by_group: whether each landing changes all rows of its group.
#}
{% materialization increment, adapter='duckdb' %}
    {%- set before = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set key, origin = config.get('key'), config.get('origin') -%}
    {%- set rows = make_temp_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if before is none or should_full_refresh() %}
        {%- do make_anew(before, target_relation, sql) -%}
    {% else %}
        {%- set again = pending().is_retried -%}
        {%- set is_staged = key or again or config.get('is_by_group') -%}
        {%- if is_staged -%}
            {%- call statement('stage') -%}
                {{ create_table_as(True, rows, sql) }}
            {%- endcall -%}
        {%- endif -%}
        {%- set gone = [] -%}
        {%- if again and origin -%}
            {%- do gone.append(origin ~ ' in (' ~ retried_landings() ~ ')') -%}
        {%- elif again or config.get('is_by_group') -%}
            {%- do gone.append(is_in_pending_groups()) -%}
        {%- endif -%}
        {%- if key -%}
            {%- do gone.append(
                key ~ ' in (select ' ~ key ~ ' from ' ~ rows ~ ')'
            ) -%}
        {%- endif -%}
        {%- for condition in gone -%}
            {%- call statement('clear_' ~ loop.index) -%}
                delete from {{ target_relation }} where {{ condition }}
            {%- endcall -%}
        {%- endfor -%}
        {%- call statement('main') -%}
            insert into {{ target_relation }} by name
            {% if is_staged -%}
                select * from {{ rows }}
            {%- else -%}
                {{ sql }}
            {%- endif -%}
        {%- endcall -%}
    {% endif %}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# Whether the table is there and grows, or is made from nothing. #}
{% macro is_increment() %}
    {{- return(
        execute
        and not should_full_refresh()
        and load_cached_relation(this) is not none
    ) -}}
{% endmacro %}
