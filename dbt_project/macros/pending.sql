{#
    What this build takes in, asked of silver.pending_landings once a model:
    how many landings, between which ids, whether some of them were begun
    before (a build died, or a landing is judged again), and whether some are
    older than one that is finished.
#}
{% macro pending() %}
    {%- set state = {
        'landings': 0, 'low': '', 'high': '', 'is_retried': false,
        'is_late': false,
    } -%}
    {%- if execute -%}
        {%- set relation = ref('pending_landings') -%}
        {%- set found = run_query(
            'select count(*), min(landing_id), max(landing_id), '
            ~ 'coalesce(bool_or(is_retried), false), '
            ~ 'coalesce(bool_or(is_late), false) from ' ~ relation
        ).rows[0] -%}
        {%- do state.update({
            'landings': found[0] | int, 'low': found[1], 'high': found[2],
            'is_retried': found[3], 'is_late': found[4],
        }) -%}
    {%- endif -%}
    {{- return(state) -}}
{% endmacro %}


{#
    Whether a column names a landing of this build. The bounds are literals:
    by them, and by nothing that is only known while a query runs, DuckLake
    leaves files out, so that the landings of before cost nothing.
#}
{% macro is_pending(column, state=none) %}
    {%- set state = state or pending() -%}
    {%- if state.landings -%}
        {{ column }} between '{{ state.low }}' and '{{ state.high }}'
        and {{ column }} in (
            select landing_id from {{ ref('pending_landings') }}
        )
    {%- else -%}
        false
    {%- endif -%}
{% endmacro %}


{# Whether a test looks at a landing: at those of the last build, or at all. #}
{% macro is_tested(column) %}
    {{- 'true' if var('whole') or flags.FULL_REFRESH else is_pending(column) -}}
{% endmacro %}


{# Whether a test looks at a row of this identity. #}
{% macro is_row_tested() %}
    {%- if var('whole') or flags.FULL_REFRESH -%}
        true
    {%- else -%}
        row_id in (
            select row_id from {{ ref('sightings') }}
            where {{ is_pending('landing_id') }}
        )
    {%- endif -%}
{% endmacro %}


{# Whether a row belongs to a group that this build brings landings of. #}
{% macro is_in_pending_groups() %}
    {%- set groups = run_query(
        'select source, string_agg(distinct group_number::varchar, \', \') from '
        ~ ref('pending_landings') ~ ' group by source order by source'
    ).rows if execute else [] -%}
    {%- if not groups -%}
        false
    {%- endif -%}
    {%- for group in groups -%}
        {{ ' or ' if not loop.first }}(
            source = '{{ group[0] | replace("'", "''") }}'
            and group_number in ({{ group[1] }})
        )
    {%- endfor -%}
{% endmacro %}


{# Landings of this build that an earlier one had begun, or finished. #}
{% macro retried_landings() %}
    select landing_id from {{ ref('pending_landings') }} where is_retried
{% endmacro %}


{#
    Landings that a build has begun and not come to the end of: its death. A
    table of an older version does not say, so it names all that it began.
#}
{% macro remember_unfinished() %}
    {%- if is_incremental() -%}
        {%- set says = 'is_finished' in (
            adapter.get_columns_in_relation(this) | map(attribute='name')
        ) -%}
        set variable unfinished_landings = (
            select coalesce(list(landing_id), []) from {{ this }}
            {%- if says %} where not is_finished {%- endif %}
        )
    {%- else -%}
        set variable unfinished_landings = []::varchar[]
    {%- endif -%}
{% endmacro %}


{#
    The last thing a build does: what it took in is finished, if everything
    that grows with it has grown. Until then the next build takes it in again.
#}
{% macro finish_pending(results) %}
    {%- set grown = results | selectattr('status', 'equalto', 'success') | list -%}
    {%- set growing = graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'model')
        | selectattr('config.materialized', 'equalto', 'incremental') | list
        if execute else [] -%}
    {%- if execute and grown | length == growing | length
        and not results | selectattr('status', 'in', ['error', 'fail']) | list
    -%}
        update {{ adapter.Relation.create(
            database=target.database, schema='silver',
            identifier='pending_landings'
        ) }}
        set is_finished = true where not is_finished
    {%- else -%}
        select 1
    {%- endif -%}
{% endmacro %}
