#include "health.h"

int health_confirm(Slots *slots)
{
        bool good = slots_running_is_good(slots);
        int r;

        if (good && !slots->wants_repair)
                return HEALTH_UNCHANGED;

        r = slots_mark_running_good(slots);
        if (r < 0)
                return r;
        return good ? HEALTH_TABLE_MENDED : HEALTH_MARKED_GOOD;
}
