// Trains, waits, predicts by tag and publishes an event, with the client that the build makes from schemas/openapi.yaml.
// It works on the models of deploy/examples/orders.

import com.google.gson.JsonObject
import dev.signalbox.client.apis.EventsApi
import dev.signalbox.client.apis.PredictApi
import dev.signalbox.client.apis.RailyardApi
import dev.signalbox.client.apis.RunsApi
import dev.signalbox.client.infrastructure.ApiClient
import dev.signalbox.client.infrastructure.ApiResponse
import dev.signalbox.client.infrastructure.ClientError
import dev.signalbox.client.infrastructure.ClientException
import dev.signalbox.client.infrastructure.ServerError
import dev.signalbox.client.infrastructure.ServerException
import dev.signalbox.client.infrastructure.Success
import dev.signalbox.client.models.DateRangeHoldout
import dev.signalbox.client.models.DateRangeHoldoutDateRangeSampling
import dev.signalbox.client.models.FeatureSource
import dev.signalbox.client.models.PredictRequest
import dev.signalbox.client.models.Run
import dev.signalbox.client.models.TrainData
import dev.signalbox.client.models.TrainRequest
import dev.signalbox.client.models.TrainWorkflow
import java.time.OffsetDateTime
import java.time.ZoneOffset
import java.util.UUID
import kotlin.system.exitProcess

fun main() {
    val control = setting("SIGNALBOX_URL")
    ApiClient.accessToken = setting("SIGNALBOX_TOKEN")
    try {
        publish(EventsApi(control))
        val id = train(RailyardApi(control))
        val run = await(RunsApi(control), id)
        check(run.state == Run.State.COMPLETE) { "run $id is ${run.state.value}: ${run.exception?.message}" }
        list(RunsApi(control))
        predict(PredictApi(setting("SIGNALBOX_PREDICT_URL")))
    } catch (e: ClientException) {
        fail(problem(e.response))
    } catch (e: ServerException) {
        fail(problem(e.response))
    } catch (e: IllegalStateException) {
        fail(e.message)
    }
}

fun setting(name: String) = checkNotNull(System.getenv(name)) { "set $name; signalbox env prints it" }

fun fail(why: String?) {
    System.err.println(why)
    exitProcess(1)
}

/** What the server says is wrong: the document of RFC 9457. */
fun problem(response: Any?) = when (response) {
    is ClientError<*> -> "${response.statusCode}: ${response.body}"
    is ServerError<*> -> "${response.statusCode}: ${response.body}"
    else -> "$response"
}

/** Events may have attributes of their own, so the client takes them as JSON. An event is answered with its position alone. */
fun publish(events: EventsApi) {
    val order = UUID.randomUUID().toString()
    val event = JsonObject().apply {
        addProperty("specversion", "1.0")
        addProperty("id", "order.placed:$order") // who sends an event again sends it with the same id
        addProperty("source", "/shop")
        addProperty("type", "order.placed")
        addProperty("subject", "c7")
        addProperty("time", OffsetDateTime.now(ZoneOffset.UTC).toString())
        add("data", JsonObject().apply {
            addProperty("order_id", order)
            addProperty("customer", "c7")
            addProperty("country", "DE")
            addProperty("amount", 120.5)
            addProperty("items", 2)
        })
    }
    val answer = events.publishEventsWithHttpInfo(event, null, null, null, null, null, null, null, null, null, null, null)
    check(answer.statusCode == 202) { "the event was refused: ${problem(answer)}" }
    println("event at ${header(answer, "Signalbox-Position")}")
}

fun header(answer: ApiResponse<*>, name: String) = answer.headers[name.lowercase()]?.first()

/** Asks for a run. The key makes a repeat give the same one. */
fun train(railyard: RailyardApi): UUID {
    val request = TrainRequest(
        modelName = "returns",
        owner = "shop",
        `data` = TrainData(
            features = listOf(FeatureSource(dataset = "returns@latest")),
            dateColumn = "event_time",
            holdoutSampling = DateRangeHoldout("DATE_RANGE", DateRangeHoldoutDateRangeSampling(last = "10d")),
        ),
        train = TrainWorkflow(
            workflowName = "returns",
            classifierFeatures = setOf("country", "amount", "items", "returned_last_time"),
            label = "returned",
            customParams = mapOf("steps" to 300),
        ),
        computeResource = "CPU",
    )
    val key = UUID.randomUUID().toString()
    val id = railyard.train(request, key)
    check(railyard.train(request, key) == id) { "one key gave two runs" }
    println("run $id")
    return id
}

/** Looks at a run until it has ended. */
fun await(runs: RunsApi, id: UUID): Run {
    var seen: Run.State? = null
    while (true) {
        val run = runs.getRun(id)
        if (run.state != seen) println("  ${run.state.value}")
        seen = run.state
        if (run.state in setOf(Run.State.COMPLETE, Run.State.FAILED, Run.State.CANCELLED)) return run
        Thread.sleep(250)
    }
}

fun list(runs: RunsApi) {
    val page = runs.listRuns(model = "returns", state = listOf(RunsApi.StateListRuns.COMPLETE, RunsApi.StateListRuns.RUNNING), limit = 10)
    println("${page.runs.size} runs, the newest of ${page.runs.first().createdAt}")
}

/** Predicts with the package that the tag points at: not the one of the run above, unless that was promoted. */
fun predict(data: PredictApi) {
    val row = mapOf<String, Any>("country" to "DE", "amount" to 120.5, "items" to 2, "returned_last_time" to 1)
    val answer = data.predict("returns", "production", PredictRequest(listOf(row)))
    println("predicted ${answer.predictions?.single()} by generation ${answer.generation}, package ${answer.`package`}")
}
