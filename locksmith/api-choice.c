#include "api-choice.h"

static const char *const etcd_api_table[_ETCD_API_MAX] = {
        [ETCD_API_V3] = "v3",
        [ETCD_API_V2] = "v2",
        [ETCD_API_AUTO] = "auto",
};
DEFINE_STRING_TABLE(etcd_api, EtcdApi);

static bool same_holders(const TextList *a, const TextList *b)
{
        if (a->n_items != b->n_items)
                return false;
        for (size_t i = 0; i < a->n_items; i++)
                if (!streq(a->items[i], b->items[i]))
                        return false; /* both are sorted */
        return true;
}

EtcdApi api_choose(const ApiView *v3, const ApiView *v2)
{
        bool in_v3 = v3->served && v3->exists && !v3->moved;
        bool in_v2 = v2->served && v2->exists && !v2->moved;

        if (in_v3 && in_v2)
                return same_holders(&v3->semaphore.holders, &v2->semaphore.holders)
                               ? ETCD_API_V3
                               : (EtcdApi)-EADDRINUSE;
        if (in_v3 || in_v2)
                return in_v3 ? ETCD_API_V3 : ETCD_API_V2;

        /* Nobody has it: a new one is made where it went to, and else in v3. */
        return !v3->served || (v3->moved && v2->served) ? ETCD_API_V2 : ETCD_API_V3;
}
