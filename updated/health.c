#include "health.h"

int health_confirm(Slots *slots)
{
        bool good = slots_running_is_good(slots);
        int r;

        if (good && !slots->gpt.wants_repair)
                return HEALTH_UNCHANGED;

        if (!good)
                slots_set_running_good(slots);
        r = gpt_write_attributes(&slots->gpt);
        if (r < 0)
                return r;
        return good ? HEALTH_TABLE_MENDED : HEALTH_MARKED_GOOD;
}
