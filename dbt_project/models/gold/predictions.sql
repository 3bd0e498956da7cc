{{
    config(
        incremental_strategy='append',
        pre_hook="{{ point_predictions_at_new() }}"
    )
}}

with logged as (

    select * from {{ source('bronze', 'predictions') }}

),

cover_types as (

    select * from {{ ref('cover_types') }}

),

named as (

    select
        logged.segment,
        logged.sequence,
        logged.request_id,
        logged.position,
        logged.predicted_at,
        logged.model_name,
        logged.model_version,
        logged.model_snapshot_id,
        {% for name in column_names(with_label=false) -%}
        logged.{{ name }},
        {% endfor -%}
        logged.predicted,
        answers.cover_type_name as predicted_name,
        logged.probability,
        logged.probabilities,
        logged.flags,
        logged.latency_ms,
        logged.key_id,
        logged.shadow_version,
        logged.shadow_predicted,
        shadows.cover_type_name as shadow_predicted_name,
        logged.shadow_probability,
    from logged
    left join cover_types as answers
        on logged.predicted = answers.cover_type
    left join cover_types as shadows
        on logged.shadow_predicted = shadows.cover_type

)

select * from named
order by segment, sequence
