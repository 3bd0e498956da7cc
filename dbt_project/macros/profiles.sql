{#
    A quantile of values that are given with how often they occur, with linear
    interpolation between two of them, as quantile_cont() has it.
#}
{% macro quantile_of_counts(share) -%}
    min(reading) filter (
        where readings_up_to > floor({{ share }} * (readings_in_all - 1))
    )
    + (
        min(reading) filter (
            where readings_up_to > ceil({{ share }} * (readings_in_all - 1))
        )
        - min(reading) filter (
            where readings_up_to > floor({{ share }} * (readings_in_all - 1))
        )
    )
    * (
        any_value({{ share }}::double * (readings_in_all - 1))
        - floor(any_value({{ share }}::double * (readings_in_all - 1)))
    )
{%- endmacro %}


{#
    The standard deviation of a sample of such values. Its sums are integers,
    so that it does not depend on the order in which rows are read.
#}
{% macro deviation_of_counts() -%}
    case
        when sum(readings) > 1
            then
                sqrt(
                    (
                        sum(readings)
                        * sum(readings * reading::bigint * reading)
                        - sum(readings * reading) * sum(readings * reading)
                    )
                    / (sum(readings) * (sum(readings) - 1))
                )
    end
{%- endmacro %}
