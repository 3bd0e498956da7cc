-- Gold has every observation once, and nothing else.
with both_sides as (

    select row_id, first_landing_id, first_seen_at
    from {{ ref('observations') }}
    except all
    select row_id, first_landing_id, first_seen_at
    from {{ ref('training_set') }}

),

reverse_sides as (

    select row_id, first_landing_id, first_seen_at
    from {{ ref('training_set') }}
    except all
    select row_id, first_landing_id, first_seen_at
    from {{ ref('observations') }}

)

select * from both_sides
union all
select * from reverse_sides
