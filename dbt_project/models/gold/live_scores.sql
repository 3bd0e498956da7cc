{{
    config(
        origin='landing_id',
        pre_hook="{{ point_answers_at(ref('pending_landings')) }}"
    )
}}

-- depends_on: {{ ref('pending_landings') }}
{%- set state = pending() if is_incremental() %}
with answers as (

    select * from {{ source('bronze', 'answered') }}

),

sightings as (

    select * from {{ ref('sightings') }}
    {%- if is_incremental() %}
    where {{ is_pending('landing_id', state) }}
    {%- endif %}

),

landings as (

    select * from {{ ref('landings') }}
    {%- if is_incremental() %}
    where {{ is_pending('landing_id', state) }}
    {%- endif %}

),

-- Rows that no version can have learned from, beside what grows there.
labelled as (

    select
        answers.landing_id,
        answers.asked_by,
        answers.model_name,
        answers.model_version,
        answers.model_snapshot_id,
        answers.predicted,
        sightings.cover_type,
    from answers
    inner join sightings
        on
            answers.landing_id = sightings.landing_id
            and answers.position = sightings.position
    where answers.is_new

),

scored as (

    select
        landing_id,
        asked_by,
        model_name,
        model_version,
        model_snapshot_id,
        count(*) as scored_rows,
        count(*) filter (where predicted = cover_type) as right_rows,
    from labelled
    group by all

),

-- A row speaks for the class that it is of, and for the one that it was given.
cells as (

    select
        *,
        unnest([cover_type, predicted]) as class_number,
        unnest([true, false]) as is_true,
    from labelled

),

classes as (

    select
        landing_id,
        asked_by,
        model_name,
        model_version,
        class_number,
        count(*) filter (where is_true) as true_rows,
        2 * count(*) filter (where is_true and predicted = cover_type)
        / count(*) as f1,
    from cells
    group by all

),

-- A class without true rows has no F1 of its own. They are added up in order:
-- a sum of fractions depends on theirs.
means as (

    select
        landing_id,
        asked_by,
        model_name,
        model_version,
        avg(f1 order by class_number) as macro_f1,
        count(*) as cover_types,
    from classes
    where true_rows > 0
    group by landing_id, asked_by, model_name, model_version

),

live as (

    select
        landings.landing_id,
        landings.source,
        landings.group_number,
        landings.batch_number,
        landings.fetched_at,
        scored.asked_by,
        scored.model_name,
        scored.model_version,
        scored.model_snapshot_id,
        scored.scored_rows,
        scored.right_rows,
        scored.right_rows / scored.scored_rows as accuracy,
        {{ wilson('scored.right_rows', 'scored.scored_rows', -1) }}
            as accuracy_low,
        {{ wilson('scored.right_rows', 'scored.scored_rows', 1) }}
            as accuracy_high,
        means.macro_f1,
        means.cover_types,
    from scored
    inner join landings
        on scored.landing_id = landings.landing_id
    inner join means
        on
            scored.landing_id = means.landing_id
            and scored.asked_by = means.asked_by
            and scored.model_name = means.model_name
            and scored.model_version = means.model_version

)

select * from live
