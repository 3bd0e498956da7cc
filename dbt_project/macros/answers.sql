{#
    Points the source bronze.answered at the objects of the landings in a
    relation, as far as there are any; a listing of them reads none.
#}
{% macro point_answers_at(relation) %}
set variable answered_rows = (
    select
        'select {{ answer_columns() }} where false'
        || coalesce(
            ' union all by name select * from read_parquet(['
            || string_agg(
                '''' || replace(answers.file, '''', '''''') || '''',
                ', ' order by answers.file
            )
            || '], union_by_name = true, hive_partitioning = false)',
            ''
        )
    from glob('{{ lake_files("/bronze/answered/*.parquet") }}') as answers
    inner join {{ relation }} as pending
        on parse_filename(answers.file, true) = pending.landing_id
)
{% endmacro %}


{# The columns of an object of answers (training/judge/prequential_predictions.py), also where there is none. #}
{% macro answer_columns() %}
    {{- 'null::varchar as landing_id, null::integer as position, '
    ~ 'null::varchar as asked_by, null::varchar as model_name, '
    ~ 'null::integer as model_version, null::bigint as model_snapshot_id, '
    ~ 'null::timestamptz as asked_at, null::integer as predicted, '
    ~ 'null::float as probability, null::boolean as is_new' -}}
{% endmacro %}


{#
    A bound of Wilson's 95 % interval of a share: the lower with side -1, the
    upper with 1. Source: Wilson, Probable inference, the law of succession, and
    statistical inference (1927); as training/judge/scores.py.
#}
{% macro wilson(found, rows, side) %}
    {%- set z = 1.959963984540054 -%}
    greatest(0, least(1, (
        {{ found }} + {{ z * z / 2 }}
        + {{ side * z }} * sqrt(
            {{ found }} * ({{ rows }} - {{ found }}) / {{ rows }} + {{ z * z / 4 }}
        )
    ) / ({{ rows }} + {{ z * z }})))
{%- endmacro %}
