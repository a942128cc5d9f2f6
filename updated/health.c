#include "health.h"

int health_confirm(Slots *slots)
{
        int r;

        if (slots_running_is_good(slots))
                return 0;

        slots_set_running_good(slots);
        r = gpt_write_attributes(&slots->gpt);
        return r < 0 ? r : 1;
}
