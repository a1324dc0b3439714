//! The pages of an owner: sign-in, set-up, dashboard, sessions, account.

use super::texts;

texts! {
    /// `/login`
    Login {
        title: "Sign in" | "Iniciar sesión",
        intro: "Owners and admins sign in here. Devices use the API." | "Aquí inician sesión propietarios y administradores. Los dispositivos usan la API.",
        remember: "Keep me signed in for 30 days" | "Mantener la sesión 30 días",
        remember_hint: "Only on a device that is yours." | "Solo en un dispositivo tuyo.",
        submit: "Sign in" | "Entrar",
        forgot: "Forgotten the password? An admin of this portal can set a new one." | "¿Olvidaste la contraseña? Un administrador de este portal puede poner otra.",
    }
}

texts! {
    /// `/setup`
    Setup {
        title: "Set up this portal" | "Configura este portal",
        intro: "Make the first admin account. The link works until this succeeds, for 30 minutes at most." | "Crea la primera cuenta de administración. El enlace sirve hasta lograrlo, 30 minutos como máximo.",
        repeat: "Password again" | "Contraseña otra vez",
        submit: "Create the admin account" | "Crear la cuenta de administración",
        invalid_title: "This link does not work" | "Este enlace no funciona",
        invalid_hint: "Without a restart, `gatehouse admin create` on the portal's machine makes the first account." | "Sin reiniciar, `gatehouse admin create` en la máquina del portal crea la primera cuenta.",
        done_title: "This portal is set up" | "Este portal ya está configurado",
        done_hint: "It has an account already, so no set-up link works any more. Sign in with an account; an admin can make more of them." | "Ya tiene una cuenta, así que ningún enlace de configuración sirve ya. Inicia sesión con una cuenta; un administrador puede crear más.",
    }
}

texts! {
    /// `/`
    Dashboard {
        title: "Dashboard" | "Panel",
        services: "Your services" | "Tus servicios",
        open_now: "Open now" | "Abiertos ahora",
        your_address: "Your address" | "Tu dirección",
        address_hint: "Opening a service lets in {ip} only. Everybody behind that address comes in too, for example others in your office or on your mobile carrier." | "Abrir un servicio deja entrar solo a {ip}. También entran todos los que estén tras esa dirección, por ejemplo en tu oficina o en tu operador móvil.",
        address_unknown: "The portal cannot tell your address, so it opens nothing." | "El portal no puede saber tu dirección, así que no abre nada.",
        open_for: "Open for" | "Abrir durante",
        open_until: "Open for your address until" | "Abierto para tu dirección hasta",
        busy: "It is on its way; look again in a moment." | "Está en camino; vuelve a mirar en un momento.",
        nothing_open_title: "Nothing is open" | "No hay nada abierto",
        nothing_open_hint: "Open one of your services below; it closes by itself." | "Abre abajo uno de tus servicios; se cierra solo.",
        see_session: "See the session" | "Ver la sesión",
        open: "Open" | "Abrir",
        go_to: "Go to the service" | "Ir al servicio",
        this_device: "This address" | "Esta dirección",
        move_here: "Move it to this address" | "Moverla a esta dirección",
        move_hint: "It lets in {old}, but you come from {new} now. Moving opens it for your present address and closes it for the old one." | "Deja entrar a {old}, pero ahora vienes de {new}. Al moverla se abre para tu dirección actual y se cierra para la anterior.",
        go_direct: "Go there directly" | "Ir directamente",
        in_lan: "You are in the same network as this service, so nothing needs to be opened." | "Estás en la misma red que este servicio, así que no hace falta abrir nada.",
        perhaps_in_lan: "You come from the same public address as this service's router. If you are in its network, nothing needs to be opened. If you do not get there, open it." | "Vienes de la misma dirección pública que el router de este servicio. Si estás en su red, no hace falta abrir nada. Si no llegas, ábrelo.",
        other_family: "You come over {yours}, but this service has an {its} address." | "Vienes por {yours}, pero este servicio tiene una dirección {its}.",
        reach_over: "Reach the portal over {its} to open it." | "Entra al portal por {its} para abrirlo.",
        go_on_over: "Go on over {its}" | "Seguir por {its}",
        reached_at: "The portal is reached over {its} at {host}." | "El portal se alcanza por {its} en {host}.",
        sign_in_there: "You sign in there once more." | "Allí inicias sesión otra vez.",
        connect_to: "Connect to {host}, port {port}." | "Conéctate a {host}, puerto {port}.",
        empty_title: "No service is granted to you yet" | "Todavía no tienes ningún servicio concedido",
        empty_owner: "Ask an admin of this portal to grant you one. It appears here at once." | "Pide a un administrador de este portal que te conceda uno. Aparecerá aquí al momento.",
        empty_admin: "Add a router, then a service, and grant it to yourself." | "Añade un router, luego un servicio, y concédetelo.",
        add_service: "Add a service" | "Añadir un servicio",
    }
}

texts! {
    /// `/sessions`
    Sessions {
        title: "Sessions" | "Sesiones",
        intro: "Each session lets one address reach one service until its end." | "Cada sesión deja que una dirección llegue a un servicio hasta su fin.",
        caption_open: "Open sessions" | "Sesiones abiertas",
        caption_past: "Past sessions" | "Sesiones anteriores",
        list_open: "Open now, the newest first" | "Abiertas ahora, la más reciente primero",
        list_past: "Over, the newest first" | "Terminadas, la más reciente primero",
        service: "Service" | "Servicio",
        user: "User" | "Usuario",
        let_in: "Address let in" | "Dirección admitida",
        opened_at: "Opened" | "Abierta",
        time_left: "Time left" | "Tiempo restante",
        end_reason: "How it ended" | "Cómo terminó",
        extend: "Extend" | "Prolongar",
        extend_to: "From now, open for" | "Desde ahora, abrir durante",
        close: "Close" | "Cerrar",
        close_warning: "This ends the session for {service}: every connection through it is cut at once." | "Esto termina la sesión de {service}: toda conexión por ella se corta al momento.",
        empty_open_title: "No session is open" | "No hay ninguna sesión abierta",
        empty_open_hint: "Open a service on the dashboard." | "Abre un servicio en el panel.",
        empty_past_title: "No session has ended yet" | "Aún no ha terminado ninguna sesión",
        empty_past_hint: "Sessions that are over are listed here with the reason." | "Aquí se listan las sesiones terminadas con su motivo.",
        to_dashboard: "To the dashboard" | "Ir al panel",
        detail_title: "Session for {service}" | "Sesión de {service}",
        back: "Sessions" | "Sesiones",
        requested_at: "Asked for" | "Pedida",
        finished_at: "Ended" | "Terminó",
        ends_at: "Ends" | "Termina",
        duration: "Duration" | "Duración",
        traffic: "Traffic" | "Tráfico",
        traffic_hint: "in both directions, of everybody behind this address; while it is open, every 10 seconds" | "en ambos sentidos, de todos los que estén tras esa dirección; mientras está abierta, cada 10 segundos",
        facts_title: "What it lets in" | "Qué deja entrar",
        pending_text: "The router is being asked to let your address in. This page shows by itself what comes of it." | "Se está pidiendo al router que deje entrar tu dirección. Esta página muestra sola el resultado.",
        waking_text: "The host is being told to wake." | "Se está mandando despertar al equipo.",
        waiting_text: "The host was told to wake; its service does not answer yet." | "Se mandó despertar al equipo; su servicio aún no responde.",
        opening_text: "The service answers; the router is letting your address in." | "El servicio responde; el router está dejando entrar tu dirección.",
        steps_title: "Step by step" | "Paso a paso",
        step_waking: "Tell the host to wake" | "Mandar despertar al equipo",
        step_waiting: "Wait until its service answers" | "Esperar a que responda su servicio",
        step_opening: "Let your address in" | "Dejar entrar tu dirección",
        step_done: "Done" | "Hecho",
        step_now: "Now" | "Ahora",
        step_later: "Later" | "Después",
        wake_deadline: "If the service does not answer by {time} UTC, nothing is opened and this page says why." | "Si el servicio no responde antes de las {time} UTC, no se abre nada y esta página dice por qué.",
        wake_leads_in: "As soon as it is open you are led to it." | "En cuanto esté abierto irás a él.",
        leading_in: "It is open. You are being led to it." | "Está abierto. Te estamos llevando a él.",
        look_again: "Look again now" | "Volver a mirar ahora",
        failed_wake: "The host could not be told to wake, so nothing was opened. Try again in a minute; if it goes on, tell an admin." | "No se pudo mandar despertar al equipo, así que no se abrió nada. Inténtalo en un minuto; si sigue así, avisa a un administrador.",
        failed_portal_stopped: "The portal was stopped before the service was open, so nothing was opened. Try again." | "El portal se detuvo antes de que el servicio estuviera abierto, así que no se abrió nada. Inténtalo otra vez.",
        failed_not_awake: "The host was told to wake, but its service did not answer within a minute, so nothing was opened. Try again." | "Se mandó despertar al equipo, pero su servicio no respondió en un minuto, así que no se abrió nada. Inténtalo otra vez.",
        closing_text: "The session is over for new connections as soon as the router confirms. The portal goes on asking it; at the session's end it shuts by itself." | "La sesión se corta en cuanto el router lo confirme. El portal se lo sigue pidiendo; al llegar su fin se cierra sola.",
        failed_unreachable: "The router did not answer, so nothing was opened. It may be off or cut from the network. Try again in a minute; if it goes on, tell an admin." | "El router no respondió, así que no se abrió nada. Puede estar apagado o sin red. Inténtalo en un minuto; si sigue así, avisa a un administrador.",
        failed_refused: "The router answered but refused to open the service, so nothing was opened. Tell an admin: the audit trail has the router's reason." | "El router respondió pero no quiso abrir el servicio, así que no se abrió nada. Avisa a un administrador: la auditoría tiene el motivo del router.",
        try_again: "Try again" | "Intentar de nuevo",
        open_again: "Open again" | "Abrir de nuevo",
        former_user: "A removed account" | "Una cuenta eliminada",
    }
}

texts! {
    /// `/account`
    Account {
        title: "Account" | "Cuenta",
        role: "Role" | "Rol",
        role_owner: "Owner" | "Propietario",
        role_admin: "Admin" | "Administrador",
        password_title: "Change the password" | "Cambiar la contraseña",
        current_password: "Current password" | "Contraseña actual",
        new_password: "New password" | "Contraseña nueva",
        change_password: "Change the password" | "Cambiar la contraseña",
        change_password_hint: "All other sign-ins end at once." | "Los demás inicios de sesión terminan al momento.",
        logins_title: "Where you are signed in" | "Dónde has iniciado sesión",
        logins_caption: "Sign-ins of this account" | "Inicios de sesión de esta cuenta",
        device: "Device" | "Dispositivo",
        kind_api: "Program with a token" | "Programa con token",
        first_seen: "Since" | "Desde",
        close_one: "Sign out" | "Cerrar",
        close_one_warning: "This signs out {device}. Whoever uses it has to sign in again." | "Esto cierra la sesión en {device}. Quien lo use tendrá que volver a entrar.",
        close_others: "Sign out everywhere else" | "Cerrar en todos los demás",
        close_others_warning: "This ends every sign-in of your account except this one, programs included." | "Esto termina todos los inicios de sesión de tu cuenta menos este, programas incluidos.",
        only_this: "You are signed in only here" | "Solo has iniciado sesión aquí",
        only_this_hint: "A sign-in from another browser or program would be listed here." | "Un inicio de sesión desde otro navegador o programa aparecería aquí.",
        facts_title: "Your account" | "Tu cuenta",
        seen_address: "Your address, as the portal sees it" | "Tu dirección, como la ve el portal",
        last_ack: "Last acknowledgement by your app" | "Última confirmación de tu aplicación",
        last_ack_count: "{n} notices" | "{n} avisos",
        device_on: "{program} on {system}" | "{program} en {system}",
        first_address: "From" | "Desde la dirección",
    }
}
