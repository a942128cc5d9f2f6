#include <jansson.h>

#include "base/io.h"
#include "base/text.h"
#include "cloud-config/state.h"

#define STATE_VERSION 1

void state_done(State *state)
{
        for (size_t i = 0; i < _KEY_MAX; i++) {
                free(state->set[i]);
                free(state->before[i]);
        }
        *state = (State) {};
}

static int state_parse_variables(const json_t *variables, State *state)
{
        int r;

        for (size_t i = 0; i < _KEY_MAX; i++) {
                const json_t *variable;
                const char *set, *before = NULL;

                if (keys[i].output != OUTPUT_UPDATE_CONF)
                        continue;
                variable = json_object_get(variables, keys[i].variable);
                if (!variable)
                        continue;
                set = json_string_value(json_object_get(variable, "set"));
                before = json_string_value(json_object_get(variable, "before"));
                if (!set)
                        return -EBADMSG;
                r = text_set(&state->set[i], set);
                if (r >= 0)
                        r = text_set(&state->before[i], before);
                if (r < 0)
                        return r;
        }

        return 0;
}

static int state_parse(const char *text, State *ret)
{
        json_auto_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        _cleanup_(state_done) State state = {};
        int version = 0, drop_in = 0, masked = 0, pending = 0, r;
        json_t *variables = NULL;

        if (!json
            || json_unpack(json, "{s:i, s?:o, s?:b, s?:b, s?:i}", "version", &version,
                           "update.conf", &variables, "drop-in", &drop_in, "masked", &masked,
                           "pending", &pending)
                       < 0
            || version != STATE_VERSION || pending < 0)
                return -EBADMSG;

        r = state_parse_variables(variables, &state);
        if (r < 0)
                return r;

        state.drop_in = drop_in;
        state.masked = masked;
        state.pending = (unsigned)pending;
        *ret = state;
        state = (State) {};
        return 0;
}

int state_read(const char *root, State *ret)
{
        _cleanup_free_ char *text = NULL;
        int r;

        r = file_read(root, STATE_PATH, IO_SMALL_FILE_MAX, &text, NULL);
        if (r == -ENOENT) {
                *ret = (State) {};
                return 0;
        }
        if (r < 0)
                return r;

        return state_parse(text, ret);
}

static json_t *variables_render(const State *state)
{
        json_auto_t *variables = json_object();

        for (size_t i = 0; variables && i < _KEY_MAX; i++) {
                json_t *variable;

                if (!state->set[i])
                        continue;
                /* A line that is not UTF-8 can not be kept: then the default comes back instead. */
                variable = json_pack("{s:s}", "set", state->set[i]);
                if (variable && state->before[i])
                        (void)json_object_set_new(variable, "before",
                                                  json_string(state->before[i]));
                if (json_object_set_new(variables, keys[i].variable, variable) < 0)
                        return NULL;
        }

        return json_incref(variables);
}

int state_render(const State *state, char **ret)
{
        json_auto_t *json = NULL;
        json_t *variables = variables_render(state);
        char *text;

        if (!variables)
                return -ENOMEM;
        if (json_object_size(variables) == 0 && !state->drop_in && !state->masked
            && !state->pending) {
                json_decref(variables);
                *ret = NULL;
                return 0;
        }

        json = json_pack("{s:i, s:o, s:b, s:b, s:i}", "version", STATE_VERSION, "update.conf",
                         variables, "drop-in", state->drop_in, "masked", state->masked, "pending",
                         (int)state->pending);
        text = json ? json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
        if (!text)
                return -ENOMEM;

        *ret = text;
        return 0;
}
