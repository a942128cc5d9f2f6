#include <arpa/inet.h>
#include <sys/queue.h>

#include "backend-fleetlock.h"
#include "base/log.h"
#include "departure.h"
#include "fleetlock-serve.h"
#include "fleetlock-wire.h"
#include "latecomers.h"
#include "lock-key.h"
#include "record.h"

/* One question, from its request until the answer is out. */
typedef struct Demand {
        FleetlockServe *server;
        struct MHD_Connection *connection;
        FleetlockRequest request;
        LockKind kind;
        LockBackend *backend;
        LockOperation *operation;
        Latecomers *latecomers; /* looked for before a slot is taken */
        Departure *departure;   /* told when it was */
        sd_event_source *timer; /* when etcd is given up; then the answer */
        bool waiting;           /* the connection is suspended */
        unsigned status;
        char *body; /* of the answer; NULL: empty */
        LIST_ENTRY(Demand) entries;
} Demand;

struct FleetlockServe {
        FleetlockServeParameters p;
        HttpServe *serve;
        bool stopping;
        LIST_HEAD(, Demand) demands;
};

/* Ends what is under way in etcd. */
static void demand_cancel(Demand *d)
{
        d->operation = lock_cancel(d->operation);
        d->latecomers = latecomers_cancel(d->latecomers);
        d->departure = departure_cancel(d->departure);
}

static void demand_free(void *state, _unused_ void *userdata)
{
        Demand *d = state;

        demand_cancel(d);
        lock_backend_free(d->backend);
        sd_event_source_disable_unref(d->timer);
        fleetlock_request_done(&d->request);
        free(d->body);
        LIST_REMOVE(d, entries);
        free(d);
}

static bool anybody_waits(const FleetlockServe *server)
{
        const Demand *d;

        LIST_FOREACH(d, &server->demands, entries)
        if (d->waiting)
                return true;
        return false;
}

static int on_answer(_unused_ sd_event_source *source, void *userdata)
{
        Demand *d = userdata;
        FleetlockServe *server = d->server;

        d->waiting = false;
        http_serve_resume(server->serve, d->connection); /* d may be gone after this */
        if (server->stopping && !anybody_waits(server))
                server->p.on_idle(server->p.userdata);
        return 0;
}

static const char *demand_group(const Demand *d)
{
        return streq(d->request.group, FLEETLOCK_GROUP_DEFAULT) ? "" : d->request.group;
}

/* The answer is known: without a body for "yes". It goes out from the event loop, since what is at
 * work below may go with it. */
static void demand_answer(Demand *d, unsigned status, const char *kind, const char *why)
{
        const char *path = d->kind == LOCK_KIND_TAKE ? FLEETLOCK_TAKE_PATH : FLEETLOCK_RELEASE_PATH;

        d->timer = sd_event_source_disable_unref(d->timer);
        d->status = status;
        if (kind && fleetlock_error_build(kind, why, &d->body) < 0)
                d->body = NULL; /* the status says enough */
        log_info("%s by %s, group %s: %s%s%s", path, d->request.id, d->request.group,
                 kind ? kind : "done", kind ? ": " : "", kind ? why : "");
        if (sd_event_add_defer(d->server->p.session->event, &d->timer, on_answer, d) < 0)
                (void)sd_event_exit(d->server->p.session->event, -ENOMEM); /* the end of memory */
}

/* The lock that is asked for, by whom. */
static HolderName demand_holder(const Demand *d)
{
        return (HolderName) { .backend = d->backend,
                              .group = demand_group(d),
                              .id = d->request.id };
}

static void on_departure(const char *why, void *userdata)
{
        Demand *d = userdata;

        d->departure = NULL; /* gone behind this call */
        if (why)
                demand_answer(d, MHD_HTTP_SERVICE_UNAVAILABLE, FLEETLOCK_FAILED, why);
        else
                demand_answer(d, MHD_HTTP_OK, NULL, "");
}

/* Who got a slot reboots now: it is expected back, and overdue when it does not give it back in time.
 * Asking again shows that it has not gone yet, and begins that time anew. */
static void demand_depart(Demand *d)
{
        const FleetlockServeParameters *p = &d->server->p;
        const HolderName of = demand_holder(d);
        int r = 0;

        if (p->settings->return_time > 0 && d->backend->ops->clone)
                r = departure_start(
                        &(DepartureRequest) {
                                .session = p->session,
                                .settings = p->settings,
                                .of = &of,
                                .on_done = on_departure,
                                .userdata = d,
                        },
                        &d->departure);
        if (r < 0)
                on_departure(strerror(-r), d);
        else if (!d->departure)
                on_departure(NULL, d);
}

static void on_result(const LockResult *result, void *userdata)
{
        Demand *d = userdata;

        d->operation = NULL;
        switch (result->outcome) {
        case LOCK_DONE:
                if (d->kind == LOCK_KIND_TAKE)
                        demand_depart(d);
                else
                        demand_answer(d, MHD_HTTP_OK, NULL, "");
                break;
        case LOCK_NOT_HOLDER: /* to a release: that is what was wanted */
                demand_answer(d, MHD_HTTP_OK, NULL, "");
                break;
        case LOCK_BUSY:
                demand_answer(d, MHD_HTTP_INTERNAL_SERVER_ERROR, FLEETLOCK_BUSY, result->why);
                break;
        case LOCK_REFUSED:
        case LOCK_FAILED:
                demand_answer(d, MHD_HTTP_SERVICE_UNAVAILABLE, FLEETLOCK_FAILED, result->why);
                break;
        }
}

static int on_timeout(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
        Demand *d = userdata;

        demand_cancel(d);
        demand_answer(d, MHD_HTTP_SERVICE_UNAVAILABLE, FLEETLOCK_FAILED,
                      "etcd does not answer in time; asking again does no harm");
        return 0;
}

/* What the others can be told of the host: who asks is about to go down, and expected back. */
static int record_make(struct MHD_Connection *connection, char **ret)
{
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        char address[INET6_ADDRSTRLEN] = "", empty[] = "", reason[] = RECORD_REASON_UPDATE;

        if (info && info->client_addr->sa_family == AF_INET)
                (void)inet_ntop(
                        AF_INET,
                        &((const struct sockaddr_in *)(const void *)info->client_addr)->sin_addr,
                        address, sizeof(address)); /* fits, as the next */
        else if (info && info->client_addr->sa_family == AF_INET6)
                (void)inet_ntop(
                        AF_INET6,
                        &((const struct sockaddr_in6 *)(const void *)info->client_addr)->sin6_addr,
                        address, sizeof(address));
        return record_format(&(Record) { .host = address,
                                         .boot_id = empty,
                                         .reason = reason,
                                         .from_version = empty,
                                         .to_version = empty,
                                         .since = (int64_t)(now_realtime() / USEC_PER_SEC) },
                             ret);
}

/* Who asks lives, and did not fail to come back. */
static int alive_edit(_unused_ Semaphore *semaphore, PolicyView *view, _unused_ int64_t revision,
                      void *userdata)
{
        const Demand *d = userdata;

        return view->damaged ? 0 : policy_forgive(&view->policy, d->request.id);
}

static int demand_operate(Demand *d)
{
        const FleetlockServeParameters *p = &d->server->p;
        _cleanup_(departure_sides_done) DepartureSides departure = {};
        _cleanup_free_ char *key = NULL, *record = NULL;
        bool takes = d->kind == LOCK_KIND_TAKE;
        int r;

        r = lock_key_holder(demand_group(d), d->request.id, &key);
        if (r >= 0)
                r = departure_sides(demand_group(d), d->request.id, &departure);
        if (r >= 0 && takes)
                r = record_make(d->connection, &record);
        if (r < 0)
                return r;

        return lock_start(p->session->event, d->backend,
                          &(LockRequest) {
                                  .kind = d->kind,
                                  .id = d->request.id,
                                  .record_key = key,
                                  .record = record,
                                  .sides = departure.sides,
                                  .n_sides = takes ? 0 : ELEMENTSOF(departure.sides),
                                  .edit = alive_edit,
                                  .edit_userdata = d,
                                  .on_done = on_result,
                                  .userdata = d,
                          },
                          &d->operation);
}

/* Whether the fleet has stopped over somebody who is late the lock itself looks at. */
static void on_latecomers(_unused_ const char *why, _unused_ bool stopped, void *userdata)
{
        Demand *d = userdata;
        int r;

        d->latecomers = NULL; /* gone behind this call */
        r = demand_operate(d);
        if (r < 0)
                demand_answer(d, MHD_HTTP_SERVICE_UNAVAILABLE, FLEETLOCK_FAILED, strerror(-r));
}

static int demand_begin_work(Demand *d)
{
        const FleetlockServeParameters *p = &d->server->p;
        const HolderName of = demand_holder(d);

        if (d->kind != LOCK_KIND_TAKE || !d->backend->ops->clone)
                return demand_operate(d);
        return latecomers_ask(
                &(LatecomersRequest) {
                        .session = p->session,
                        .settings = p->settings,
                        .of = &of,
                        .on_done = on_latecomers,
                        .userdata = d,
                },
                &d->latecomers);
}

static int demand_start(Demand *d)
{
        const FleetlockServeParameters *p = &d->server->p;
        int r;

        r = session_backend(p->session, p->settings, demand_group(d), &d->backend);
        if (r >= 0)
                r = sd_event_add_time_relative(p->session->event, &d->timer, CLOCK_MONOTONIC,
                                               FLEETLOCK_SERVE_TIMEOUT, 0, on_timeout, d);
        return r < 0 ? r : demand_begin_work(d);
}

static enum MHD_Result answer_queue(struct MHD_Connection *connection, unsigned status,
                                    const char *body)
{
        Reply reply = { .status = status,
                        .type = "application/json",
                        .body = (char *)(body ? body : ""), /* copied */
                        .size = body ? strlen(body) : 0 };

        if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
                reply.allow = "POST";
        return reply_queue(&reply, connection);
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *kind,
                              const char *why)
{
        _cleanup_free_ char *body = NULL;

        if (fleetlock_error_build(kind, why, &body) < 0)
                return MHD_NO;
        return answer_queue(connection, status, body);
}

static bool group_is_served(const FleetlockServe *server, const char *group)
{
        const TextList *groups = server->p.groups;

        for (size_t i = 0; i < groups->n_items; i++)
                if (streq(groups->items[i], group))
                        return true;
        return false;
}

/* Which question is it? Returns false when it is none; that was answered then. */
static bool request_check(const HttpServeRequest *request, LockKind *ret, enum MHD_Result *result)
{
        const char *header = http_serve_header(request->connection, FLEETLOCK_HEADER);
        struct MHD_Connection *connection = request->connection;

        if (streq(request->path, "/" FLEETLOCK_TAKE_PATH))
                *ret = LOCK_KIND_TAKE;
        else if (streq(request->path, "/" FLEETLOCK_RELEASE_PATH))
                *ret = LOCK_KIND_RELEASE;
        else {
                *result = refuse(connection, MHD_HTTP_NOT_FOUND, "unknown_path",
                                 "there are /" FLEETLOCK_TAKE_PATH " and /" FLEETLOCK_RELEASE_PATH);
                return false;
        }
        if (!streq(request->method, MHD_HTTP_METHOD_POST))
                *result = refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "unknown_method",
                                 "questions are sent with POST");
        else if (!header || !streq(header, "true"))
                *result = refuse(connection, MHD_HTTP_BAD_REQUEST, FLEETLOCK_BAD_CLIENT,
                                 "the header " FLEETLOCK_HEADER ": true is missing");
        else
                return true;
        return false;
}

static enum MHD_Result demand_begin(FleetlockServe *server, const HttpServeRequest *request,
                                    LockKind kind, FleetlockRequest *question)
{
        Demand *d = calloc(1, sizeof(Demand));

        if (!d)
                return MHD_NO;
        *d = (Demand) { .server = server,
                        .connection = request->connection,
                        .request = *question,
                        .kind = kind };
        *question = (FleetlockRequest) {};
        *request->state = d;
        LIST_INSERT_HEAD(&server->demands, d, entries);

        if (demand_start(d) < 0)
                return refuse(request->connection, MHD_HTTP_SERVICE_UNAVAILABLE, FLEETLOCK_FAILED,
                              "out of memory, or the group can have no lock");
        d->waiting = true;
        MHD_suspend_connection(request->connection);
        return MHD_YES;
}

static enum MHD_Result on_request(const HttpServeRequest *request, void *userdata)
{
        _cleanup_(fleetlock_request_done) FleetlockRequest question = {};
        FleetlockServe *server = userdata;
        const Demand *known = *request->state;
        enum MHD_Result result;
        const char *why;
        LockKind kind;
        int r;

        if (known)
                return answer_queue(request->connection, known->status, known->body);
        if (!request_check(request, &kind, &result))
                return result;
        r = fleetlock_request_parse(request->body, request->body_size, &question, &why);
        if (r == -EBADMSG)
                return refuse(request->connection, MHD_HTTP_BAD_REQUEST, FLEETLOCK_BAD_CLIENT, why);
        if (r < 0)
                return MHD_NO;
        if (!group_is_served(server, question.group))
                return refuse(request->connection, MHD_HTTP_BAD_REQUEST, FLEETLOCK_UNKNOWN_GROUP,
                              "this server does not serve that group");

        return demand_begin(server, request, kind, &question);
}

int fleetlock_serve_new(const FleetlockServeParameters *parameters, FleetlockServe **ret)
{
        _cleanup_(fleetlock_serve_free_p) FleetlockServe *server =
                calloc(1, sizeof(FleetlockServe));
        int r;

        if (!server)
                return -ENOMEM;
        server->p = *parameters;
        LIST_INIT(&server->demands);
        r = http_serve_new(parameters->session->event,
                           &(HttpServeParameters) {
                                   .listen_fd = parameters->listen_fd,
                                   .connections_max = FLEETLOCK_SERVE_CONNECTIONS_MAX,
                                   .memory_max = FLEETLOCK_SERVE_MEMORY_MAX,
                                   .body_max = FLEETLOCK_REQUEST_MAX,
                                   .too_large = "A request has at most 8 KiB.",
                                   .certificate_pem = parameters->certificate_pem,
                                   .key_pem = parameters->key_pem,
                                   .ca_pem = parameters->ca_pem,
                                   .on_request = on_request,
                                   .on_end = demand_free,
                                   .userdata = server,
                           },
                           &server->serve);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(server);
        return 0;
}

FleetlockServe *fleetlock_serve_free(FleetlockServe *server)
{
        Demand *d;

        if (!server)
                return NULL;

        /* Who was not answered in time asks again: that does no harm. */
        LIST_FOREACH(d, &server->demands, entries)
        {
                if (d->waiting)
                        MHD_resume_connection(d->connection);
                d->waiting = false;
                demand_cancel(d);
                d->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        }
        http_serve_free(server->serve);
        free(server);
        return NULL;
}

void fleetlock_serve_stop(FleetlockServe *server)
{
        server->stopping = true;
        (void)http_serve_quiesce(server->serve); /* idle connections may stay: they end with us */
        if (!anybody_waits(server))
                server->p.on_idle(server->p.userdata);
}
