#include <assert.h>

#include "fuzz/fuzz.h"
#include "grubenv.h"

/* What is taken can be changed in every way, and is taken again; nothing behind the first sector changes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const char *why = NULL;
        Grubenv env, again;
        int r;

        r = grubenv_parse(data, size, &env, &why);
        if (r < 0) {
                assert(why);
                return 0;
        }

        for (unsigned i = 0; i < 2 * 2 * 10; i++) {
                grubenv_set_first(&env, i % 2);
                grubenv_set(&env, i % 2, i / 2 % 2, i / 4);
                r = grubenv_parse(env.data, sizeof(env.data), &again, &why);
                assert(r == 0);
                assert(grubenv_first(&again) == i % 2);
                assert(grubenv_ok(&again, i % 2) == (i / 2 % 2 == 1));
                assert(grubenv_tries(&again, i % 2) == i / 4);
                assert(memcmp(env.data + GRUBENV_SECTOR, data + GRUBENV_SECTOR, GRUBENV_SECTOR)
                       == 0);
        }

        return 0;
}
