#include <stdio.h>

#include "double/boot-grub.h"

/* The value of a variable, of which the last one counts; NULL: it is not there. Escapes are none of ours. */
static char *variable(char *env, const char *name)
{
        size_t n = strlen(name);
        char *found = NULL;

        for (char *line = env, *end = env; line < env + BOOT_GRUBENV_SIZE; line = end + 1) {
                end = memchr(line, '\n', (size_t)(env + BOOT_GRUBENV_SIZE - line));
                if (!end)
                        break;
                if ((size_t)(end - line) > n && memcmp(line, name, n) == 0 && line[n] == '=')
                        found = line + n + 1;
        }

        return found;
}

static char *slot_variable(char *env, const char *what, char slot)
{
        char name[32];

        (void)snprintf(name, sizeof(name), "sluice_%s_%c", what, slot == 'A' ? 'a' : 'b');
        return variable(env, name);
}

bool boot_grub_is_selectable(const char env[static BOOT_GRUBENV_SIZE], char slot)
{
        const char *ok = slot_variable((char *)env, "ok", slot);
        const char *tries = slot_variable((char *)env, "tries", slot);

        return (ok && *ok == '1') || (tries && *tries >= '1' && *tries <= '9');
}

int boot_grub_choose(char env[static BOOT_GRUBENV_SIZE])
{
        char *order = variable(env, "sluice_order"), last = 'A';

        if (strncmp(env, "# GRUB Environment Block\n", 25) != 0)
                return -EBADMSG;
        for (char *p = order; p && *p != '\n'; p++) {
                char *ok, *tries;

                if (*p == ' ')
                        continue;
                last = *p;
                ok = slot_variable(env, "ok", *p);
                tries = slot_variable(env, "tries", *p);
                if (ok && *ok == '1')
                        return *p;
                if (!boot_grub_is_selectable(env, *p))
                        continue;
                --*tries;
                return *p;
        }

        return last;
}
