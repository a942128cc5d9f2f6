#include <assert.h>

#include "grubenv.h"

#define SIGNATURE "# GRUB Environment Block\n"

/* What each variable may be. */
static const struct {
        const char *name;
        const char *values; /* one after the other, all of one length */
        size_t length;
} variables[_GRUBENV_MAX] = {
        [GRUBENV_ORDER] = { "sluice_order", "A BB A", 3 },
        [GRUBENV_OK_A] = { "sluice_ok_a", "01", 1 },
        [GRUBENV_OK_B] = { "sluice_ok_b", "01", 1 },
        [GRUBENV_TRIES_A] = { "sluice_tries_a", "0123456789", 1 },
        [GRUBENV_TRIES_B] = { "sluice_tries_b", "0123456789", 1 },
};

/* Behind the end of the line: a backslash hides the byte after it, a line break as well. */
static size_t line_end(const char *data, size_t at)
{
        while (at < GRUBENV_SIZE && data[at] != '\n')
                at += data[at] == '\\' ? 2 : 1;
        return MIN_OF(at + 1, (size_t)GRUBENV_SIZE);
}

static bool value_is_valid(size_t i, const char *value, size_t size)
{
        size_t length = variables[i].length;

        for (const char *known = variables[i].values; size == length && *known; known += length)
                if (memcmp(known, value, length) == 0)
                        return true;
        return false;
}

/* One line without its line break. */
static int line_take(Grubenv *env, size_t at, size_t size, const char **ret_why)
{
        const char *line = env->data + at, *equals = memchr(line, '=', size);
        size_t name;

        if (!equals || equals == line) {
                *ret_why = "a line of it is no NAME=VALUE";
                return -EBADMSG;
        }
        name = (size_t)(equals - line);
        for (size_t i = 0; i < ELEMENTSOF(variables); i++) {
                if (strlen(variables[i].name) != name || memcmp(variables[i].name, line, name) != 0)
                        continue;
                *ret_why = env->places[i] > 0 ? "a variable of ours is in it twice"
                           : !value_is_valid(i, equals + 1, size - name - 1)
                                   ? "a variable of ours has a value that is none"
                           : at + size > GRUBENV_SECTOR
                                   ? "a variable of ours is not in its first 512 bytes"
                                   : NULL;
                if (*ret_why)
                        return -EBADMSG;
                env->places[i] = at + name + 1;
        }
        return 0;
}

static int lines_take(Grubenv *env, const char **ret_why)
{
        size_t end;
        int r;

        for (size_t at = strlen(SIGNATURE); at < GRUBENV_SIZE; at = end) {
                end = line_end(env->data, at);
                if (env->data[at] == '#') /* a comment, or what fills the rest */
                        continue;
                if (env->data[end - 1] != '\n') {
                        *ret_why = "its last line does not end";
                        return -EBADMSG;
                }
                r = line_take(env, at, end - 1 - at, ret_why);
                if (r < 0)
                        return r;
        }

        return 0;
}

int grubenv_parse(const void *data, size_t size, Grubenv *ret, const char **ret_why)
{
        Grubenv env = {};
        int r;

        *ret_why = NULL;
        if (size != GRUBENV_SIZE)
                *ret_why = "it does not have 1024 bytes";
        else if (memcmp(data, SIGNATURE, strlen(SIGNATURE)) != 0)
                *ret_why = "it does not begin as an environment block of GRUB";
        if (*ret_why)
                return -EBADMSG;

        memcpy(env.data, data, size);
        r = lines_take(&env, ret_why);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(variables); i++)
                if (env.places[i] == 0) {
                        *ret_why = "a variable of ours is missing";
                        return -EBADMSG;
                }

        *ret = env;
        return 0;
}

unsigned grubenv_first(const Grubenv *env)
{
        return env->data[env->places[GRUBENV_ORDER]] == 'A' ? 0 : 1;
}

unsigned grubenv_tries(const Grubenv *env, unsigned slot)
{
        return (unsigned)(env->data[env->places[GRUBENV_TRIES_A + slot]] - '0');
}

bool grubenv_ok(const Grubenv *env, unsigned slot)
{
        return env->data[env->places[GRUBENV_OK_A + slot]] == '1';
}

void grubenv_set_first(Grubenv *env, unsigned slot)
{
        memcpy(env->data + env->places[GRUBENV_ORDER], slot == 0 ? "A B" : "B A", strlen("A B"));
}

void grubenv_set(Grubenv *env, unsigned slot, bool ok, unsigned tries)
{
        assert(slot < 2 && tries <= 9);
        env->data[env->places[GRUBENV_OK_A + slot]] = ok ? '1' : '0';
        env->data[env->places[GRUBENV_TRIES_A + slot]] = (char)('0' + tries);
}
